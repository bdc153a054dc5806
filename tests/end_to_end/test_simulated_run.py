"""From bytes on a socket to curves in a file: the real program against the real simulated beamline."""

from __future__ import annotations

import re
from importlib.resources import as_file, files
from pathlib import Path

import attrs
import h5py
import numpy as np
import pytest

from livered_core import InstrumentDefinition
from livered_core.diffraction import (
    DIAMOND_A,
    calibration_from_geometry,
    cubic_reflections,
    nearest_reflection,
    strongest_peak,
    write_calibration,
)
from livered_core.geometry import read_instrument
from livered_support import livered

SHARED = Path(__file__).parents[3] / "shared" / "data" / "nomad"
RUN = ("run", "--instrument", "NOM", "--simulate", "--stop-after-run", "--config", "c.toml")
SMALL = """
update_every = 0.5
[simulate]
run_length = 5.0
rate = 400000.0
run_number = 4711
title = "Diamond <b>\\u001b[31mred</b>"
"""
REFLECTIONS = cubic_reflections(DIAMOND_A, "diamond", 0.3, 3.0)


def curves(file: Path) -> dict[str, h5py.Group]:
    """Label to its x and y, and their units; without the images."""
    with h5py.File(file) as opened:
        entry = opened[opened.attrs["default"]]
        found = {}
        for group in entry.values():
            if isinstance(group, h5py.Group) and group.attrs.get("NX_class") == "NXdata":
                signal = group[group.attrs["signal"]]
                if signal.ndim != 1:
                    continue
                axis = group[f"{np.atleast_1d(group.attrs['axes'])[0]}_edges"]
                title = group["title"][()].decode() if "title" in group else group.name
                found[title] = (axis[()], signal[()], axis.attrs["units"], signal.attrs["units"])
    return found


def peaks(found) -> dict[str, tuple[float, float]]:
    """Label to the d-spacing of the strongest peak, and that of the nearest reflection of diamond."""
    result = {}
    for label, (x, y, _, _) in found.items():
        peak = strongest_peak(x, np.round(y / y[y > 0].min()))
        if peak is not None:
            result[label] = (peak.d, nearest_reflection(peak.d, REFLECTIONS).d)
    return result


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    (folder / "c.toml").write_text(SMALL)
    return folder, livered(folder, *RUN)


def test_a_run_ends_with_status_0_and_says_where_its_curves_are(small):
    folder, result = small
    assert result.returncode == 0, result
    assert "complete; final" in result.stdout
    where = re.search(r"^files: (.*)$", result.stdout, re.MULTILINE).group(1)
    assert Path(where) == folder / "output" / "NOM-simulated"
    names = sorted(path.name for path in Path(where).iterdir())
    assert names[0] == "NOM_4711.h5"
    assert len([name for name in names if name.endswith(".dat")]) == 6
    assert "Traceback" not in result.stdout + result.stderr


def test_diamond_stands_at_its_d_spacings_in_every_bank(small):
    folder, _ = small
    found = curves(folder / "output" / "NOM-simulated" / "NOM_4711.h5")
    assert len(found) == 6
    for _, _, x_unit, y_unit in found.values():
        assert (x_unit, y_unit) == ("Angstrom", "counts/uAh")
    seen = peaks(found)
    assert set(seen) == set(found)
    for d, expected in seen.values():
        assert d == pytest.approx(expected, rel=1e-3)


def test_every_event_is_accounted_for(small):
    _, result = small
    (events, pulses) = re.search(r"Run 4711: ([\d,]+) events in ([\d,]+) pulses", result.stdout).groups()
    expected = 5.0 * 400_000 * 599 / 600
    assert int(pulses) == 300
    assert int(events.replace(",", "")) == pytest.approx(expected, abs=6 * np.sqrt(expected))


def test_the_same_seed_gives_the_same_curves(small, tmp_path):
    folder, _ = small
    (tmp_path / "c.toml").write_text(SMALL + "speed = 0\n")
    assert livered(tmp_path, *RUN).returncode == 0
    first = curves(folder / "output" / "NOM-simulated" / "NOM_4711.h5")
    again = curves(tmp_path / "output" / "NOM-simulated" / "NOM_4711.h5")
    assert set(first) == set(again)
    for label, (_, y, _, _) in first.items():
        np.testing.assert_array_equal(y, again[label][1])


def test_text_from_the_stream_stays_text(small):
    folder, result = small
    assert "\x1b[31m" not in result.stdout
    for file in (folder / "output" / "NOM-simulated").glob("*.dat"):
        assert "\x1b" not in file.read_text()
    assert "\x1b" not in (folder / "livereduce.log").read_text()


def test_the_log_tells_the_story_and_is_private(small):
    folder, _ = small
    log = (folder / "livereduce.log").read_text()
    for word in ("Connected to 127.0.0.1", "Run 4711 began", "Run 4711: ended"):
        assert word in log
    assert (folder / "livereduce.log").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs NOMAD's real definition and calibration in ../shared")
@pytest.mark.slow
def test_the_real_definition_and_calibration_give_the_same_peaks(tmp_path):
    calibration = SHARED / "NOMAD_243451_2026-06-09_shifter.h5"
    (tmp_path / "c.toml").write_text(SMALL + f"[plugins.nom]\ncalibration = '{calibration}'\n")
    result = livered(tmp_path, *RUN, "--idf", SHARED / "NOMAD_Definition.xml")
    assert result.returncode == 0, result
    seen = peaks(curves(tmp_path / "output" / "NOM-simulated" / "NOM_4711.h5"))
    # Bank 6 has a single pixel in use: no peak can stand in it.
    assert [label[:6] for label in sorted(seen)][:5] == ["bank 1", "bank 2", "bank 3", "bank 4", "bank 5"]
    for label, (d, expected) in seen.items():
        if not label.startswith("bank 6"):
            assert d == pytest.approx(expected, rel=1e-3), label


@pytest.mark.parametrize(("table", "off"), [("plugins.nom", 1.0), ("simulate", 1.01)])
def test_the_simulator_takes_the_calibration_as_its_truth(tmp_path, table, off):
    """Reduced with that calibration too, the peaks stand where they should; without it, off by as much as it says."""
    with as_file(files("livered_nom") / "simulated_instrument.xml") as idf:
        instrument = read_instrument(InstrumentDefinition("NOM", idf.read_text()))
    geometric = calibration_from_geometry(instrument)
    write_calibration(tmp_path / "one_percent.h5", attrs.evolve(geometric, difc=geometric.difc * 1.01))
    lines = ["update_every = 0.5", "[simulate]", "run_length = 3.0", "rate = 400000.0", "speed = 0"]
    lines += [f"[{table}]"] if table != "simulate" else []
    (tmp_path / "c.toml").write_text("\n".join([*lines, "calibration = 'one_percent.h5'"]))
    assert livered(tmp_path, *RUN).returncode == 0
    found = curves(tmp_path / "output" / "NOM-simulated" / "NOM_1.h5")
    for x, y, _, _ in found.values():
        peak = strongest_peak(x, np.round(y / y[y > 0].min()))
        assert nearest_reflection(peak.d / off, REFLECTIONS).d == pytest.approx(peak.d / off, rel=1e-3)
