"""Measure NOMAD's whole reduction: counting the events of a chunk, and making everything that an update shows.

    python benchmarks/nomad.py [--events MILLIONS]

Events are made up on the packaged simulated beamline; vanadium is the same events again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import cycle
from pathlib import Path

import attrs
import numpy as np
from rows import Row, arguments, best_of, finish

import livered_nom
from livered_core import Chunk, EventBatch, InstrumentDefinition, RunInfo, SessionInfo, Update
from livered_core.diffraction import focus
from livered_core.geometry import read_instrument
from livered_core.publish.nexus import nexus_bytes
from livered_nom.counts import NomCounts
from livered_nom.plugin import NomPlugin
from livered_nom.prepared import prepare
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


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--events", type=float, default=10.0, help="millions of events")
    options = parser.parse_args()
    finish(measure(options), options)


def measure(options: argparse.Namespace) -> list[Row]:
    """Measure counting, then updates."""
    less = 4 if options.quick else 1
    path = Path(livered_nom.__file__).with_name("simulated_instrument.xml")
    definition = InstrumentDefinition("NOM", path.read_text(encoding="utf-8"))
    chunk = made_up_chunk(definition, int(options.events * 1e6 / less))
    plain = NomPlugin(NomSettings())
    plain.session_started(SESSION)
    counts = plain.process_chunk(chunk)
    return [*counting(plain, chunk, counts, 2.0 / less), *updates(plain, chunk, counts, 2.0 / less)]


def counting(plugin: NomPlugin, chunk: Chunk, counts: NomCounts, seconds: float) -> list[Row]:
    assert chunk.instrument is not None
    settings = plugin.settings
    instrument = read_instrument(chunk.instrument)
    tables = prepare(settings, instrument, None, chunk.instrument.sha256).tables
    everything, banks, adding = best_of(
        seconds,
        lambda: plugin.process_chunk(chunk),
        lambda: focus(chunk.events, tables.d),
        lambda: counts + counts,
    )
    rate = chunk.n_events / everything / 1e6
    return [
        Row(
            key="nomad.counting",
            what="NOMAD's `process_chunk`: banks in d and Q, the view, pixels",
            value=rate,
            unit="million events/s",
            beside=f"the banks in d alone ({chunk.n_events / banks / 1e6:.0f} million events/s)",
            ratio=banks / everything,
            held=True,
        ),
        Row(
            key="nomad.adding",
            what="NOMAD: adding a chunk",
            value=adding * 1e3,
            unit="ms",
            beside=f"counting a chunk of {chunk.n_events / 1e6:.1f} million events",
            ratio=adding / everything,
            better="lower",
        ),
    ]


def updates(plain: NomPlugin, chunk: Chunk, counts: NomCounts, seconds: float) -> list[Row]:
    update = update_of(chunk)
    result = plain.post_process(counts, RUN, update)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        vanadium = Path(folder) / "vanadium.nxs"
        vanadium.write_bytes(nexus_bytes(result, RUN, update, {}, 0))
        settings = NomSettings(references=ReferenceSettings(vanadium=vanadium))
        whole = {}
        for engine in ("own", "pystog"):
            total = TotalScatteringSettings(composition="Si", engine=engine, fourier_cutoff=1.5)
            plugin = NomPlugin(attrs.evolve(settings, total_scattering=total))
            plugin.session_started(SESSION)
            plugin.process_chunk(chunk)
            start = time.perf_counter()
            final = plugin.post_process(counts, RUN, attrs.evolve(update, final=True))
            whole[engine] = plugin, time.perf_counter() - start
            assert "G(r)" in [curve.label for curve in final.curves]
        many = longer(counts, 7)
        # Others of the same size by turns: what an update keeps of the one before must not help.
        both, more = cycle([counts, counts + counts]), cycle([many, many + many])
        own, pystog = whole["own"][0], whole["pystog"][0]
        banks, usual, grown, by_pystog = best_of(
            seconds,
            lambda: plain.post_process(next(both), RUN, update),
            lambda: own.post_process(next(both), RUN, update),
            lambda: own.post_process(next(more), RUN, update),
            lambda: pystog.post_process(next(both), RUN, update),
        )
        first = whole["own"][1] * 1e3
    rows.append(Row("nomad.update.banks", "NOMAD, an update: banks alone", banks * 1e3, "ms", better="lower"))
    rows.append(
        Row(
            key="nomad.update.all",
            what="NOMAD, an update: 6 banks x 6000 points, vanadium, S(Q), G(r)",
            value=usual * 1e3,
            unit="ms",
            beside="the banks alone",
            ratio=usual / banks,
            better="lower",
            note=f"the first one, which waits for the vanadium, {first:.0f} ms",
            aim="below 50 ms",
            met=usual * 1e3 < 50,
        )
    )
    rows.append(
        Row(
            key="nomad.update.grown",
            what="NOMAD, an update after 128 times as many events",
            value=grown * 1e3,
            unit="ms",
            beside="after so many events",
            ratio=grown / usual,
            better="lower",
            held=True,
        )
    )
    rows.append(
        Row(
            key="nomad.update.pystog",
            what="NOMAD, the same update by pystog",
            value=by_pystog * 1e3,
            unit="ms",
            beside="by livered's own transforms",
            ratio=by_pystog / usual,
            better="lower",
        )
    )
    return rows


def longer(counts: NomCounts, doublings: int) -> NomCounts:
    for _ in range(doublings):
        counts = counts + counts
    return counts


def update_of(chunk: Chunk) -> Update:
    return Update(
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


if __name__ == "__main__":
    main()
