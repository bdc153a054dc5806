"""Measure NOMAD's whole reduction: counting the events of a chunk, and making everything that an update shows.

    python benchmarks/nomad.py [--events MILLIONS]

Events are made up on the packaged simulated beamline; vanadium is the same events again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import attrs
import numpy as np

import livered_nom
from livered_core import Chunk, EventBatch, InstrumentDefinition, RunInfo, SessionInfo, Update
from livered_core.geometry import read_instrument
from livered_core.publish.nexus import nexus_bytes
from livered_nom.plugin import NomPlugin
from livered_nom.settings import NomSettings
from livered_nom.settings_references import ReferenceSettings
from livered_nom.settings_total import TotalScatteringSettings

START_NS = 1_700_000_000_000_000_000
RUN = RunInfo(number=1, instrument="NOM", title="made up")
SESSION = SessionInfo("NOM", "native", "", "", 0, "", {}, live=False)


def made_up_chunk(definition: InstrumentDefinition, n_events: int) -> Chunk:
    rng = np.random.default_rng(1)
    pixels = read_instrument(definition).pixel_id
    batch = EventBatch(
        pixel_id=pixels[rng.integers(0, len(pixels), n_events)].astype(np.uint32),
        tof=rng.integers(3000, 166_670, n_events, dtype=np.uint32),
        pulse_time_ns=np.array([START_NS]),
        proton_charge_pc=np.array([3.6e9]),
        event_offset=np.array([0, n_events], np.int64),
        flags=np.zeros(1, np.uint32),
    )
    return Chunk(1, "native", batch, START_NS, START_NS, 1, n_events, 3.6e9, {}, definition)


def fastest(work: Callable[[], object], times: int = 5) -> float:
    durations = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        durations.append(time.perf_counter() - start)
    return min(durations)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=float, default=10.0, help="millions of events")
    options = parser.parse_args()
    path = Path(livered_nom.__file__).with_name("simulated_instrument.xml")
    definition = InstrumentDefinition("NOM", path.read_text(encoding="utf-8"))
    chunk = made_up_chunk(definition, int(options.events * 1e6))
    update = Update(
        sequence=1,
        final=False,
        n_chunks=1,
        n_pulses=1,
        n_events=chunk.n_events,
        proton_charge_pc=3.6e9,
        first_pulse_ns=START_NS,
        last_pulse_ns=START_NS + 60_000_000_000,
        skipped_chunks=0,
        skipped_events=0,
        dropped_chunks=0,
        dropped_events=0,
        complete=True,
        missing=(),
        lag_ns=0,
    )
    plain = NomPlugin(NomSettings())
    plain.session_started(SESSION)
    counts = plain.process_chunk(chunk)
    seconds = fastest(lambda: plain.process_chunk(chunk))
    print(f"counting in d, Q and the view  {chunk.n_events / seconds / 1e6:7.1f} million events/s")
    print(f"adding a chunk                 {fastest(lambda: counts + counts) * 1e3:7.1f} ms")
    result = plain.post_process(counts, RUN, update)
    print(
        f"update, banks alone            {fastest(lambda: plain.post_process(counts, RUN, update)) * 1e3:7.1f} ms"
    )
    with tempfile.TemporaryDirectory() as folder:
        vanadium = Path(folder) / "vanadium.nxs"
        vanadium.write_bytes(nexus_bytes(result, RUN, update, {}, 0))
        settings = NomSettings(references=ReferenceSettings(vanadium=vanadium))
        for engine in ("own", "pystog"):
            total = TotalScatteringSettings(composition="Si", engine=engine, fourier_cutoff=1.5)
            whole = NomPlugin(attrs.evolve(settings, total_scattering=total))
            whole.session_started(SESSION)
            whole.process_chunk(chunk)
            start = time.perf_counter()
            labels = [curve.label for curve in whole.post_process(counts, RUN, update).curves]
            first = time.perf_counter() - start
            assert "G(r)" in labels
            seconds = fastest(partial(whole.post_process, counts, RUN, update))
            print(
                f"update, S(Q), G(r) by {engine:<8} {seconds * 1e3:7.1f} ms (the first one {first * 1e3:.0f} ms)"
            )


if __name__ == "__main__":
    main()
