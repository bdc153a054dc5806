"""The definition that the simulator uses, against the published layout of NOMAD."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from livered_core.geometry import difc, read_instrument
from livered_core.model import Instrument, InstrumentDefinition

# first and last id, packs, two-theta min/mean/max in degrees, L2 min and max in metres, mean DIFC
GROUPS = {
    1: (0, 14335, 14, (11.2, 15.15, 20.8), (1.53, 2.50), 1430),
    2: (14336, 37887, 23, (23.3, 31.1, 42.1), (1.26, 2.13), 2858),
    3: (37888, 52223, 14, (45.2, 65.6, 91.2), (0.99, 1.41), 5603),
    4: (52224, 64511, 12, (95.5, 122.0, 143.9), (1.01, 1.35), 9045),
    5: (64512, 82943, 18, (134.2, 151.4, 176.7), (0.68, 0.99), 9909),
    6: (82944, 101375, 18, (0.66, 8.85, 15.9), (2.52, 2.63), 860),
}


@pytest.fixture(scope="module")
def file(repository: Path) -> Path:
    return repository / "plugins/nom/src/livered_nom/simulated_instrument.xml"


@pytest.fixture(scope="module")
def instrument(file: Path) -> Instrument:
    return read_instrument(InstrumentDefinition("NOMAD", file.read_text(encoding="utf-8")))


def test_source_sample_monitors_and_ids(instrument):
    assert instrument.name == "NOMAD"
    assert instrument.l1 == 19.5
    assert instrument.source_position.tolist() == [0, 0, -19.5]
    assert instrument.monitor_id.tolist() == [-1, -2]
    assert instrument.monitor_position.tolist() == [[0, 0, -0.879475], [0, 0, 5.748782]]
    np.testing.assert_array_equal(instrument.pixel_id, np.arange(101376))


def test_banks_are_99_packs_of_1024_pixels(instrument):
    assert instrument.bank_names == tuple(f"bank{i}" for i in range(1, 100))
    np.testing.assert_array_equal(instrument.bank, np.arange(101376) // 1024)


@pytest.mark.parametrize("group", GROUPS)
def test_each_group_covers_its_angles_and_distances(instrument, group):
    first, last, packs, (smallest, mean, largest), (nearest, farthest), constant = GROUPS[group]
    pixels = slice(first, last + 1)
    assert last + 1 - first == packs * 8 * 128
    two_theta = np.degrees(instrument.two_theta[pixels])
    assert smallest <= two_theta.min() and two_theta.max() <= largest
    assert two_theta.mean() == pytest.approx(mean, rel=0.03)
    # The group is not a thin ring at its mean angle either: most of the range is there.
    assert np.ptp(two_theta) > 0.9 * (largest - smallest)
    l2 = instrument.l2[pixels]
    assert nearest - 0.005 <= l2.min() and l2.max() <= farthest + 0.005
    assert difc(instrument)[pixels].mean() == pytest.approx(constant, rel=0.05)


def test_no_two_pixels_stand_in_the_same_place(instrument):
    # Shadowing is not looked for, but pixels closer than 2 mm would be a mistake in a rotation.
    cells = np.unique(np.floor(instrument.position / 0.002).astype(np.int64), axis=0)
    assert len(cells) > 0.99 * len(instrument.position)


def test_packs_of_a_barrel_do_not_cross(instrument):
    # Seen from the beam, the packs of groups 1 to 4 take azimuths of their own.
    azimuth = np.degrees(np.arctan2(instrument.position[:, 1], instrument.position[:, 0])) % 360
    for first, _, packs, *_ in (GROUPS[g] for g in (1, 2, 3, 4)):
        for pack in range(packs):
            chosen = slice(first + pack * 1024, first + (pack + 1) * 1024)
            assert azimuth[chosen].min() > 360 * pack / packs
            assert azimuth[chosen].max() < 360 * (pack + 1) / packs


def test_the_script_makes_exactly_this_file(repository, file, tmp_path):
    target = tmp_path / "made.xml"
    script = repository / "plugins/nom/tools/make_simulated_instrument.py"
    subprocess.run([sys.executable, str(script), str(target)], check=True, timeout=60)
    assert target.read_bytes() == file.read_bytes()


def test_the_file_is_small_and_has_what_mantid_asks_for(file):
    assert file.stat().st_size < 60_000
    root = ElementTree.parse(file).getroot()
    idf = "{http://www.mantidproject.org/IDF/1.0}"
    assert root.tag == f"{idf}instrument"
    assert {"name", "valid-from", "valid-to", "last-modified"} <= set(root.keys())
    assert root.find(f"{idf}defaults/{idf}reference-frame") is not None
    for type_ in root.iter(f"{idf}type"):
        # Mantid makes the shape of a detector from a solid and its algebra.
        if type_.get("is") in {"detector", "monitor"}:
            solid = type_.find(f"{idf}cylinder")
            algebra = type_.find(f"{idf}algebra")
            assert solid is not None and algebra is not None
            assert algebra.get("val") == solid.get("id")
            assert [child.tag.removeprefix(idf) for child in solid] == [
                "centre-of-bottom-base", "axis", "radius", "height",
            ]  # fmt: skip
