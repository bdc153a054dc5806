"""Checks of sums: neither the order of chunks nor where the stream was cut may change what is accumulated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import attrs
import numpy as np

from livered_core.errors import HookError, LiveredError
from livered_core.hooks.markers import SKIP, BegunAnew
from livered_core.model import Chunk, Result, SlowLog, Update
from livered_core.reduction.run_state import RunState
from livered_core.testing.checks.finding import Found, failing, not_applicable, not_tried, ok, wrong
from livered_core.testing.checks.subject import Subject
from livered_core.testing.checks.values import TOLERANCE, difference
from livered_core.testing.cutting import join_chunks, split_chunk

ORDER_MATTERS: Final = "order_matters"
"""Attribute of a plugin's class: True says that its result rightly depends on when data came."""

Ways = Callable[[list[Chunk]], Mapping[str, list[Chunk]]]
"""Makes of chunks the same data in other ways: words for people to the chunks."""

_EXACTLY: Final = f"whole numbers exactly, floats within {TOLERANCE:g} of the largest"
_REMEDY: Final = (
    "Accumulate what can be added in any order, such as counts and charge; divide in post_process. Where the result "
    f"rightly depends on when data came, write {ORDER_MATTERS} = True into the class."
)


class _FailedOnTheWay(Exception):  # noqa: N818  (a verdict, not an accident)
    """What went wrong while data were reduced in another way."""


@attrs.frozen
class _Seen:
    """What was seen of data that were reduced in other ways."""

    said: str
    note: str = ""


def order(subject: Subject) -> Found:
    """See that chunks in another order give the same."""
    return _compared(subject, _orders, "chunks in any order give the same")


def grouping(subject: Subject) -> Found:
    """See that the same events in fewer, or in more, chunks give the same."""
    try:
        return _compared(subject, _groupings, "the same events in fewer and in more chunks give the same")
    except LiveredError as error:
        return not_tried(f"the chunks cannot be joined: {error}")


def _orders(chunks: list[Chunk]) -> dict[str, list[Chunk]]:
    mixed = chunks[::2] + chunks[1::2]
    return {"backwards": chunks[::-1], "in another order": [*mixed[1:], mixed[0]]}


def _groupings(chunks: list[Chunk]) -> dict[str, list[Chunk]]:
    return {
        "as one chunk": [join_chunks(chunks)],
        "with two chunks joined": [join_chunks(chunks[:2]), *chunks[2:]],
        "with each chunk cut in two": [part for chunk in chunks for part in _halves(chunk)],
    }


def sums_of_sums(subject: Subject) -> Found:
    """See that parts can be added first, and their sums then."""
    baseline = subject.baseline
    chunks = subject.chunks
    if len(chunks) < 3:
        return not_tried("there are less than three chunks.")
    with subject.session() as session:
        session.begin(subject.run)
        processed = [(chunk, session.process(chunk, subject.run)) for chunk in chunks]
        taken = [(chunk, data) for chunk, data in processed if data is not SKIP]
        if len(taken) < 3 or type(taken[0][1]) is not type(baseline.state.accumulated):
            return not_applicable("what process_chunk returns is not of the kind that is accumulated.")
        try:
            level = [(chunk, session.add(None, data, chunk, subject.run)) for chunk, data in taken]
            while len(level) > 1:
                pairs = zip(level[::2], level[1::2], strict=False)
                added = [(a[0], session.add(a[1], b[1], b[0], subject.run)) for a, b in pairs]
                level = added + (level[-1:] if len(level) % 2 else [])
        except HookError as error:
            return not_applicable(
                f"sums cannot be added ({failing(error)}), and livered does not ask for it."
            )
        total = level[0][1]
        if isinstance(total, BegunAnew):
            return not_applicable("it throws away what was accumulated before.")
        result = session.result(attrs.evolve(baseline.state, accumulated=total), baseline.update)
    found = difference(baseline.result, result)
    if found is not None:
        return _verdict(subject, f"added by twos, the result differs: {found}")
    return ok(f"sums of parts add up to the same: {_EXACTLY}.")


def _compared(subject: Subject, ways: Ways, well: str) -> Found:
    """Reduce the same data in other ways, and compare."""
    _ = subject.baseline
    chunks = subject.chunks
    try:
        seen = _seen(subject, chunks, ways)
        held = hold_logs(chunks)
        # What follows the sample environment rightly depends on where a chunk begins.
        still = seen if not seen.said or held is None else _seen(subject, held, ways)
    except _FailedOnTheWay as failed:
        return wrong(str(failed), _REMEDY)
    if still.said:
        return _verdict(subject, still.said)
    follows = f"; where slow logs change it follows them ({seen.said})" if seen.said else ""
    return ok(f"{well}: {_EXACTLY}{still.note}{follows}.")


def _seen(subject: Subject, chunks: list[Chunk], ways: Ways) -> _Seen:
    """Say what differs first, and what is only built differently."""
    state, result = _reduced(subject, "as it came", chunks, None)
    update = state.update(final=False, now_ns=state.last_pulse_ns)
    note = ""
    for way, others in ways(chunks).items():
        other, other_result = _reduced(subject, way, _numbered(others), update)
        found = difference(result, other_result)
        if found is not None:
            return _Seen(f"reduced {way}, the result differs: {found}")
        found = difference(state.accumulated, other.accumulated)
        if found is not None and not found.of_form:
            return _Seen(f"reduced {way}, what is accumulated differs: {found}")
        if found is not None:
            note = f" (what is accumulated is built differently {way}: {found})"
    return _Seen("", note)


def _reduced(
    subject: Subject, way: str, chunks: Iterable[Chunk], update: Update | None
) -> tuple[RunState, Result | None]:
    with subject.session() as session:
        try:
            state = session.reduce(chunks, subject.run)
            return state, session.result(state, update)
        except HookError as error:
            message = f"reduced {way}, {failing(error)}."
            raise _FailedOnTheWay(message) from error


def _verdict(subject: Subject, said: str) -> Found:
    if getattr(subject.plugin_class, ORDER_MATTERS, False):
        return not_applicable(f"the class says {ORDER_MATTERS} = True. {said[0].upper()}{said[1:]}.")
    return wrong(f"{said}.", _REMEDY)


def hold_logs(chunks: Sequence[Chunk]) -> list[Chunk] | None:
    """Let all chunks have the first value of each slow log; None where no log changes."""
    first: dict[str, SlowLog] = {}
    # Before all pulses, so that each part of a chunk has it.
    begin_ns = min(chunk.first_pulse_ns for chunk in chunks)
    for chunk in chunks:
        for name, log in chunk.logs.items():
            if not len(log.value):
                continue
            time_ns = np.minimum(log.time_ns[:1], begin_ns)
            first.setdefault(name, attrs.evolve(log, time_ns=time_ns, value=log.value[:1]))
    if all(difference(dict(chunk.logs), first) is None for chunk in chunks):
        return None
    return [attrs.evolve(chunk, logs=first) for chunk in chunks]


def _halves(chunk: Chunk) -> list[Chunk]:
    half = chunk.n_pulses // 2
    return split_chunk(chunk, [half, chunk.n_pulses - half]) if half else [chunk]


def _numbered(chunks: Iterable[Chunk]) -> list[Chunk]:
    return [attrs.evolve(chunk, sequence=index + 1) for index, chunk in enumerate(chunks)]
