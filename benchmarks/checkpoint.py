"""Measure what it costs to keep the run in hand on disk: for the reduction, for the thread that writes, and at a start.

python benchmarks/checkpoint.py [--folder FOLDER] [--events MILLIONS] [--large MEGABYTES]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from rows import Row, arguments, best_of, finish

import livered_nom
from livered_core import Chunk, EventBatch, InstrumentDefinition, RunInfo, SessionInfo
from livered_core.chunking.position import StreamPosition
from livered_core.chunking.taken_pulses import TakenPulses
from livered_core.clocks import SystemClock
from livered_core.engine.checkpoint_writer import CheckpointWriter
from livered_core.geometry import read_instrument
from livered_core.reduction.checkpoint import Checkpoint
from livered_core.reduction.checkpoint_codec import decode, encode
from livered_core.reduction.checkpoint_store import CheckpointStore
from livered_core.reduction.run_state import RunState
from livered_nom.plugin import NomPlugin
from livered_nom.settings import NomSettings

START_NS = 1_700_000_000_000_000_000
RUN = RunInfo(number=1, instrument="NOM", title="made up")
SESSION = SessionInfo("NOM", "native", "", "", 0, "", {}, live=False)
EVERY_S = 30.0
PULSES = 30 * 60
REPEATS = 9


def made_up_chunk(definition: InstrumentDefinition, n_events: int) -> Chunk:
    rng = np.random.default_rng(1)
    pixels = read_instrument(definition).pixel_id
    per_pulse = n_events // PULSES
    batch = EventBatch(
        pixel_id=pixels[rng.integers(0, len(pixels), per_pulse * PULSES)].astype(np.uint32),
        tof=rng.integers(3000, 166_670, per_pulse * PULSES, dtype=np.uint32),
        pulse_time_ns=START_NS + np.arange(PULSES) * 16_666_667,
        proton_charge_pc=np.full(PULSES, 2e7),
        event_offset=np.arange(PULSES + 1) * per_pulse,
        flags=np.zeros(PULSES, np.uint32),
    )
    last = int(batch.pulse_time_ns[-1])
    return Chunk(1, "native", batch, START_NS, last, PULSES, batch.n_events, 3.6e10, {}, definition)


def milliseconds(work: Callable[[], Any]) -> float:
    """Give the median of what a call takes."""
    durations = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations) * 1e3


def checkpoint(accumulated: Any, plugins: dict[str, Any]) -> Checkpoint:
    nothing = TakenPulses().times
    position = StreamPosition(RUN, START_NS, 1, nothing, nothing, 1)
    return Checkpoint(RunState(RUN, accumulated), position, plugins, {"the configuration": "1"}, START_NS)


def kept(name: str, what: str, kept: Checkpoint, folder: Path, reducing_ms: float) -> list[Row]:
    """Measure the way of one checkpoint to the disk and back."""
    store = CheckpointStore(folder, 4 << 30)
    size = store.save(kept)
    data = b"".join(encode(kept))
    writer = CheckpointWriter(store, SystemClock(), EVERY_S)
    # A thread that writes all the time is the worst that can be beside the reduction.
    offering = milliseconds(lambda: writer.offer(attrs.evolve(kept)))
    writer.close(None, 60)
    saving = milliseconds(lambda: store.save(kept))
    loading = milliseconds(lambda: store.load(kept.fingerprint, lambda _: True))
    describing = milliseconds(lambda: encode(kept))
    making = milliseconds(lambda: decode(data, lambda _: True))

    def row(key: str, said: str, value: float, beside: str = "", to: float = 0.0, note: str = "") -> Row:
        ratio = value / to if to else None
        return Row(f"checkpoint.{name}.{key}", said, value, "ms", beside, ratio, better="lower", note=note)

    every = f"{EVERY_S:.0f} s, how often it is written"
    written = row(
        "save",
        f"a checkpoint of {what}, {size / 1e6:.1f} MB",
        saving,
        every,
        EVERY_S * 1e3,
        "on its own thread",
    )
    chunk = "reducing and adding a chunk of 3 million events"
    waited = row("offer", "what the reduction waits for it", offering, chunk, reducing_ms)
    told = f"describing {describing:.2f} ms, making it again from bytes {making:.2f} ms"
    return [written, waited, row("load", "reading it again at a start", loading, note=told)]


def beside_reducing(reduce: Callable[[], Any], nom: NomPlugin, folder: Path, quick: bool) -> Row:
    """Reduce chunks with and without a checkpoint after each, by turns."""
    writer = CheckpointWriter(CheckpointStore(folder, 4 << 30), SystemClock(), EVERY_S)

    def with_one() -> None:
        writer.offer(checkpoint(reduce(), {"nom": nom.save_state()}))

    alone, beside = best_of(1.0 if quick else 3.0, reduce, with_one)
    writer.close(None, 60)
    return Row(
        key="checkpoint.reducing",
        what="reducing a chunk of 3 million events, a checkpoint after each",
        value=beside * 1e3,
        unit="ms",
        beside="the same without checkpoints",
        ratio=beside / alone,
        better="lower",
        held=True,
    )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument(
        "--folder", type=Path, help="Where to write; a temporary folder where it is not given."
    )
    parser.add_argument("--events", type=float, default=3.0, help="millions of events in a chunk of 30 s")
    parser.add_argument("--large", type=float, default=50.0, help="megabytes of the large one")
    options = parser.parse_args()
    finish(measure(options), options)


def measure(options: argparse.Namespace) -> list[Row]:
    """Measure a checkpoint of NOM, and one of large arrays."""
    path = Path(livered_nom.__file__).with_name("simulated_instrument.xml")
    definition = InstrumentDefinition("NOM", path.read_text(encoding="utf-8"))
    chunk = made_up_chunk(definition, int(options.events * 1e6))
    nom = NomPlugin(NomSettings())
    nom.session_started(SESSION)
    nom.run_started(RUN)
    counts = nom.process_chunk(chunk)
    reducing_ms = milliseconds(lambda: counts + nom.process_chunk(chunk))
    rows = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rows.append(
            beside_reducing(lambda: counts + nom.process_chunk(chunk), nom, Path(folder), options.quick)
        )
        rows += kept("nom", "NOM", checkpoint(counts, {"nom": nom.save_state()}), Path(folder), reducing_ms)
        arrays = [np.random.default_rng(n).random(int(options.large * 1e6) // 80) for n in range(10)]
        rows += kept("large", "large arrays", checkpoint(arrays, {}), Path(folder), reducing_ms)
    return rows


if __name__ == "__main__":
    main()
