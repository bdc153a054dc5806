"""Offline is live: a run reduced over a socket and from its file gives the same arrays, to the last bit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from beamline_support import simulated_run
from livered_core.adara import BankedEvents, Geometry
from livered_core.references import read_reduced
from livered_support import livered, started
from nexus_support import events_of, of_type, packets, write_nexus
from waiting import until

LIVE = """
update_every = 0.3
max_chunk_events = 50_000
"""
REDUCTION = """
[plugins.nom.references]
vanadium = "vanadium.adara"
wait_at_end = 60
[plugins.nom.total_scattering]
composition = "C"
"""
SIMULATE = """
[simulate]
run_length = 3.0
rate = 200000.0
run_number = 4711
hold_for_client = true
speed = 0
"""
Arrays = dict[str, tuple[Any, ...]]


def arrays(file: Path) -> Arrays:
    """Every dataset of the plottable groups of a reduced file: type, shape and bytes."""
    found: Arrays = {}

    def visit(name: str, item: Any) -> None:
        plottable = isinstance(item, h5py.Dataset) and item.parent.attrs.get("NX_class") == "NXdata"
        if plottable and item.dtype.kind in "fiu":
            found[name] = (item.dtype.str, item.shape, item[()].tobytes())

    with h5py.File(file) as opened:
        opened.visititems(visit)
    return found


def chunks(file: Path) -> int:
    with h5py.File(file) as opened:
        return int(opened["entry/livered/n_chunks"][()])


def served(folder: Path, *server: object, client: Any) -> None:
    """Start a server, read its address from its screen, and have a client called with it."""
    with started(folder, *server) as process:
        address = ""

        def announced() -> bool:
            nonlocal address
            assert process.stdout is not None
            match = re.search(r"--address (\S+)", process.stdout.readline())
            address = match[1] if match else address
            return bool(address)

        until(announced)
        result = client(address)
        assert result.returncode == 0, result


def live(folder: Path, recording: str) -> Path:
    """Replay a recording at a socket and reduce it as it comes; return the folder of results."""

    def client(address: str) -> Any:
        options = (
            "--config",
            "live.toml",
            "--stop-after-run",
            "--plain",
            "--output-dir",
            f"live-{recording}",
        )
        return livered(folder, "run", "-i", "NOM", "--address", address, *options)

    served(folder, "replay", recording, "--speed", "max", "--port", 0, client=client)
    return folder / f"live-{recording}"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a simulated run as a recording, and the same as a NeXus event file of another number."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "simulate.toml").write_text(SIMULATE)
    (folder / "live.toml").write_text(LIVE + REDUCTION)
    (folder / "offline.toml").write_text(REDUCTION)
    simulated_run(folder / "vanadium.adara", "vanadium", 1, rate=1e6, run_length=1.0, recycle="never")
    served(
        folder,
        *("simulate", "-i", "NOM", "--config", "simulate.toml", "--port", 0, "--runs", 1),
        client=lambda address: livered(folder, "record", "--from", address, "run.adara", "--stop-after-run"),
    )
    to_nexus(folder / "run.adara", folder / "run.nxs.h5")
    return folder


def to_nexus(recording: Path, path: Path) -> None:
    """Write the pulses of a recording as the facility's translator would have."""
    said = packets(recording)
    pulses = of_type(said, BankedEvents)
    each = [events_of(pulse) for pulse in pulses]
    banks = sorted({bank for pulse in each for bank in pulse if bank < 1 << 31})
    write_nexus(
        path,
        {f"bank{bank}_events": [pulse.get(bank, []) for pulse in each] for bank in banks},
        [pulse.proton_charge_pc for pulse in pulses],
    )
    with h5py.File(path, "a") as file:
        instrument = file["entry"].create_group("instrument")
        instrument["name"] = np.array([b"NOMAD"])
        instrument["name"].attrs["short_name"] = "NOM"
        instrument["instrument_xml/data"] = of_type(said, Geometry)[0].xml


@pytest.fixture(scope="module")
def reduced(recorded: Path) -> Path:
    result = livered(
        recorded, "reduce", "run.adara", "run.nxs.h5", "-o", "offline", "--config", "offline.toml"
    )
    assert result.returncode == 0, result
    assert result.stdout.count("complete, ") == 2
    assert not [line for line in result.stderr.splitlines() if line.startswith("livered: ")]
    return recorded / "offline"


@pytest.mark.parametrize(("recording", "number"), [("run.adara", 4711), ("run.nxs.h5", 1234)])
def test_live_and_offline_give_the_same_arrays(recorded, reduced, recording, number):
    offline = reduced / f"NOM_{number}.h5"
    watched = live(recorded, recording) / f"NOM_{number}.h5"
    # Otherwise the comparison would say nothing about where chunks end.
    assert chunks(watched) > 3
    assert chunks(offline) < chunks(watched)
    assert {"S(Q)", "Q[S(Q)-1]", "G(r)"} < {curve.label for curve in read_reduced(offline)}
    assert sum(np.count_nonzero(curve.y) for curve in read_reduced(offline)) > 1000
    assert arrays(offline) == arrays(watched)


def test_recording_and_nexus_file_of_a_run_give_the_same_arrays(reduced):
    one, other = arrays(reduced / "NOM_4711.h5"), arrays(reduced / "NOM_1234.h5")
    # The file's pulses have times of their own, from which it follows how fast the error falls.
    assert {name for name in one if one[name] != other[name]} <= {name for name in one if "error_of" in name}
    assert set(one) == set(other)


def test_columns_of_text_are_the_same_but_for_when_they_were_written(recorded, reduced):
    watched = recorded / "live-run.adara"
    if not watched.exists():
        live(recorded, "run.adara")
    texts = sorted(path.name for path in reduced.glob("NOM_4711_*.dat"))
    assert texts == sorted(path.name for path in watched.glob("*.dat"))
    for name in texts:
        rows = [
            [line for line in (folder / name).read_text().splitlines() if not line.startswith("#")]
            for folder in (reduced, watched)
        ]
        assert rows[0] == rows[1]
