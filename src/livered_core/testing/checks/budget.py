"""Checks of what it costs: time and memory for each event, and the import of the plugin's module."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any, Final

import attrs
import numpy as np

from livered_core.hooks.markers import SKIP
from livered_core.interpreter import WITHOUT_FOLDER
from livered_core.model import Chunk, EventBatch
from livered_core.testing.checks.finding import CannotTell, Found, not_tried, ok, wrong
from livered_core.testing.checks.session import Session
from livered_core.testing.checks.subject import Subject
from livered_core.testing.checks.values import n_bytes
from livered_core.testing.cutting import join_chunks

HEAVY: Final = (
    "IPython",
    "NCrystal",
    "dask",
    "h5py",
    "llvmlite",
    "mantid",
    "matplotlib",
    "numba",
    "pandas",
    "plotly",
    "scipp",
    "scipy",
    "sklearn",
    "sympy",
    "tensorflow",
    "torch",
    "xarray",
)
"""Packages that take long to import, so that a plugin's module should not do it."""
ENOUGH_EVENTS: Final = 400_000
"""Events on which time is measured: with less, what a call costs by itself would count."""
_CALLS: Final = 3
_IMPORT_TIMEOUT_S: Final = 120.0
_IMPORT: Final = f"""
{WITHOUT_FOLDER}
import json, time
sys.path.extend(folder for folder in json.loads(sys.argv[2]) if folder not in sys.path)
import livered_core
before, began = set(sys.modules), time.perf_counter()
__import__(sys.argv[1])
took = time.perf_counter() - began
print(json.dumps([took, sorted({{name.partition(".")[0] for name in set(sys.modules) - before}})]))
"""


@attrs.frozen
class Import:
    """What importing a module does.

    Attributes
    ----------
    seconds
        How long it took, without livered_core.
    packages
        Top-level packages that came with it.
    """

    seconds: float
    packages: tuple[str, ...]


def measure_import(module: str) -> Import:
    """Import a module in a process of its own.

    Raises
    ------
    CannotTell
        When that is not possible.
    """
    path = json.dumps([folder for folder in sys.path if folder])
    try:
        done = subprocess.run(  # noqa: S603  (this interpreter, and a module that it has loaded)
            [sys.executable, "-c", _IMPORT, module, path],
            capture_output=True,
            text=True,
            timeout=_IMPORT_TIMEOUT_S,
            check=True,
        )
        seconds, packages = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise CannotTell(
            not_tried(f"{module} cannot be imported in a process of its own ({type(error).__name__}).")
        ) from error
    return Import(float(seconds), tuple(packages))


def imports(subject: Subject, measure: Callable[[str], Import] = measure_import) -> Found:
    """See that the module imports nothing heavy and does not take long: livered imports it at start."""
    module = subject.plugin_class.__module__
    measured = measure(module)
    remedy = "Import it inside the functions that need it."
    heavy = [name for name in HEAVY if name in measured.packages]
    if heavy:
        return wrong(f"{module} imports {', '.join(heavy)}.", remedy)
    if measured.seconds > subject.budget.import_s:
        return wrong(
            f"the import of {module} takes {measured.seconds:.1f} s, and {subject.budget.import_s:g} s are budgeted.",
            remedy,
        )
    return ok(f"{module} is imported in {measured.seconds:.2f} s, and nothing heavy with it.")


def time_per_event(subject: Subject, now: Callable[[], float] = time.perf_counter) -> Found:
    """See that `process_chunk` and `accumulate` keep within their time; the first call, which may compile, is told apart."""
    _ = subject.baseline
    chunk = many(join_chunks(subject.chunks), ENOUGH_EVENTS)
    if not chunk.n_events:
        return not_tried("the data hold no event.")
    with subject.session() as session:
        state = session.begin(subject.run)
        began = now()
        state = session.take(state, subject.chunks[0])
        first_s = now() - began
        took = []
        for _ in range(_CALLS):
            began = now()
            state = session.take(state, chunk)
            took.append(now() - began)
        began = now()
        session.result(state)
        result_s = now() - began
    ns = min(took) / chunk.n_events * 1e9
    rest = (
        f"{ns:,.0f} ns for each of {chunk.n_events:,} events; the first call took {first_s:.2f} s, "
        f"post_process {result_s:.2f} s"
    )
    budget = subject.budget.ns_per_event
    if ns > budget:
        return wrong(
            f"{rest}; {budget:,.0f} ns are budgeted.",
            "Use arrays in place of loops, and make what belongs to the instrument once; or raise the budget.",
        )
    return ok(f"{rest}; {budget:,.0f} ns are budgeted.")


def memory_per_event(subject: Subject) -> Found:
    """See that a chunk does not need much memory, and that what is accumulated does not grow with events."""
    _ = subject.baseline
    chunk = join_chunks(subject.chunks)
    if not chunk.n_events:
        return not_tried("the data hold no event.")
    with subject.session() as session:
        state = session.reduce(subject.chunks[:1], subject.run)
        taken = _peak_bytes(session, chunk, subject) / chunk.n_events
        before = n_bytes(state.accumulated)
        for _ in range(2):
            state = session.take(state, chunk)
        kept = (n_bytes(state.accumulated) - before) / (2 * chunk.n_events)
    budget = subject.budget
    said = f"{taken:,.0f} bytes at most for each event of a chunk"
    if taken > budget.bytes_per_event:
        return wrong(
            f"{said}; {budget.bytes_per_event:,.0f} are budgeted.",
            "Work on fewer copies of the columns, or on parts of a chunk one after the other.",
        )
    if kept > budget.kept_per_event:
        return wrong(
            f"what is accumulated grows by {kept:,.1f} bytes with each event: a run of a billion needs {kept:,.0f} GB.",
            "Accumulate histograms in place of events.",
        )
    return ok(
        f"{said}, and what is accumulated ({n_bytes(state.accumulated):,} bytes) does not grow with events."
    )


def _peak_bytes(session: Session, chunk: Chunk, subject: Subject) -> int:
    """Measure what Python and numpy take at most while a chunk is processed."""
    gc.collect()
    was_tracing = tracemalloc.is_tracing()
    if not was_tracing:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        processed = session.process(chunk, subject.run)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        if not was_tracing:
            tracemalloc.stop()
    if processed is SKIP:
        raise CannotTell(not_tried("it leaves out the data joined into one chunk (SKIP)."))
    # What it returned is not there for each event.
    return max(0, peak - before - n_bytes(processed))


def many(chunk: Chunk, n_events: int) -> Chunk:
    """Repeat the pulses of a chunk until there are so many events."""
    events = chunk.events
    times = -(-n_events // events.n_events) if events.n_events else 1
    if times <= 1:
        return chunk
    step_ns = int(events.pulse_time_ns[-1] - events.pulse_time_ns[0]) + 16_666_667
    shifts: Any = np.repeat(np.arange(times, dtype=np.int64) * step_ns, events.n_pulses)
    offsets = np.repeat(np.arange(times, dtype=np.int64) * events.n_events, events.n_pulses)
    batch = EventBatch(
        pixel_id=np.tile(events.pixel_id, times),
        tof=np.tile(events.tof, times),
        pulse_time_ns=np.tile(events.pulse_time_ns, times) + shifts,
        proton_charge_pc=np.tile(events.proton_charge_pc, times),
        event_offset=np.append(np.tile(events.event_offset[:-1], times) + offsets, times * events.n_events),
        flags=np.tile(events.flags, times),
    )
    return attrs.evolve(
        chunk,
        data=batch,
        last_pulse_ns=int(batch.pulse_time_ns[-1]),
        n_pulses=batch.n_pulses,
        n_events=batch.n_events,
        proton_charge_pc=float(batch.proton_charge_pc.sum()),
    )
