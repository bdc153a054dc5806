"""Checks with chunks that are seldom and real: empty ones, one event, no charge, events that lie outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from livered_core.errors import HookError, LiveredError
from livered_core.model import Chunk, InstrumentDefinition
from livered_core.testing.builders import (
    empty_chunk,
    make_chunk,
    make_events,
    one_event_chunk,
    powder_chunk,
)
from livered_core.testing.checks.finding import CannotTell, Found, failing, not_tried, ok, wrong
from livered_core.testing.checks.results import result_problems
from livered_core.testing.checks.session import Session
from livered_core.testing.checks.subject import Subject
from livered_core.testing.checks.values import Difference, difference
from livered_core.testing.instruments import small_instrument

_LATEST_US: Final = (2**32 - 1) / 10
_PULSES: Final = 6


def empty(subject: Subject) -> Found:
    """See that it copes with pulses without any event."""
    return _copes(subject, lambda fields: empty_chunk(pulses=_PULSES, **fields), "pulses without an event")


def one_event(subject: Subject) -> Found:
    """See that it copes with a single event."""
    events = _first_with_events(subject).events
    pixel, tof_us = int(events.pixel_id[0]), float(events.tof_us[0])
    return _copes(
        subject, lambda fields: one_event_chunk(pixel, tof_us, pulses=_PULSES, **fields), "one event"
    )


def no_charge(subject: Subject) -> Found:
    """See that it copes with pulses of which no proton charge is known."""
    events = _first_with_events(subject).events

    def make(fields: Mapping[str, Any]) -> Chunk:
        batch = make_events(events.pixel_id[:100], events.tof_us[:100], pulses=_PULSES, proton_charge_pc=0.0)
        return make_chunk(batch, **fields)

    return _copes(subject, make, "pulses without proton charge")


def outside(subject: Subject) -> Found:
    """See that it copes with events whose times of flight all lie outside."""
    pixel = int(_first_with_events(subject).events.pixel_id[0])

    def make(fields: Mapping[str, Any]) -> Chunk:
        return make_chunk(make_events(pixel, [0.0] * 5 + [_LATEST_US] * 5, pulses=_PULSES), **fields)

    return _copes(subject, make, "events at time of flight 0 and at the latest there can be")


def unknown_pixels(subject: Subject) -> Found:
    """See that it copes with pixels that the instrument does not have."""
    beyond = 1 + max(int(chunk.events.pixel_id.max()) for chunk in subject.chunks if chunk.n_events)
    definition = subject.chunks[0].instrument
    if definition is not None:
        from livered_core.geometry import read_instrument

        beyond = 1 + int(read_instrument(definition).pixel_id.max())
    pixels = [beyond, beyond + 1000, 2**31, 2**32 - 1]
    tof_us = float(_first_with_events(subject).events.tof_us[0])

    def make(fields: Mapping[str, Any]) -> Chunk:
        return make_chunk(make_events(pixels, tof_us, pulses=_PULSES), **fields)

    return _copes(subject, make, f"events of pixels that are not there ({beyond} and beyond)")


def other_instrument(subject: Subject) -> Found:
    """See that it notices another instrument definition in the middle of a run."""
    baseline = subject.baseline
    definition = subject.chunks[0].instrument
    if definition is None:
        raise CannotTell(ok("the data bring no instrument definition along."))
    same = InstrumentDefinition(definition.name, f"{definition.xml}\n<!-- the same places -->\n")
    half = max(1, len(subject.chunks) // 2)
    said = [
        attrs.evolve(chunk, instrument=same) if index >= half else chunk
        for index, chunk in enumerate(subject.chunks)
    ]
    remedy = (
        "Keep what is made of a definition for as long as chunk.instrument is equal to the one before; where sums "
        "cannot go on, raise DataModelError with a sentence, or return BegunAnew from accumulate."
    )
    with subject.session() as session:
        try:
            state = session.reduce(said, subject.run)
            result = session.result(state, baseline.update)
        except HookError as error:
            return wrong(f"the same instrument in other words: {failing(error)}.", remedy)
        found = difference(baseline.result, result)
        if found is not None:
            return wrong(f"the same instrument in other words gives another result: {found}.", remedy)
        refusal = _with_another(subject, session)
        if refusal is not None:
            return wrong(f"another instrument in the middle of a run: {refusal}.", remedy)
        try:
            state = session.reduce(subject.chunks, subject.run)
            result = session.result(state, baseline.update)
        except HookError as error:
            return wrong(f"after another instrument, {failing(error)}.", remedy)
        found = difference(baseline.result, result)
        if found is not None:
            return wrong(f"the run after another instrument gives another result: {found}.", remedy)
        session.end(subject.run)
        found = _moved(subject, session)
    if found is not None:
        return wrong(
            f"places that changed under the same name of an instrument are not noticed: {found}.", remedy
        )
    return ok(
        "the same instrument in other words gives the same, and another one is reduced or refused with a sentence."
    )


def _with_another(subject: Subject, session: Session) -> str | None:
    """Let another instrument come in the middle of a run; say what is wrong with how it is taken."""
    other = small_instrument("OTHER")
    chunk = one_event_chunk(1, pulses=_PULSES, instrument=other, logs=subject.chunks[0].logs)
    state = session.begin(subject.run)
    for each in (subject.chunks[0], chunk, subject.chunks[0]):
        try:
            state = session.take(state, each)
        except HookError as error:
            if not isinstance(error.__cause__, LiveredError):
                return failing(error)
    return None


def _moved(subject: Subject, session: Session) -> Difference | None:
    """Let a run come whose instrument has the same name and other places; say what differs from it alone."""
    definition = subject.chunks[0].instrument
    assert definition is not None
    small = small_instrument(definition.name)
    moved = InstrumentDefinition(definition.name, small.xml.replace('r="1"', 'r="1.5"'))
    logs = subject.chunks[0].logs
    chunk = powder_chunk(moved, [1.0, 1.5], n_events=500, pulses=_PULSES, logs=logs)
    run = attrs.evolve(subject.run, number=subject.run.number + 1)
    try:
        with subject.session() as alone:
            first = alone.result(alone.reduce([chunk], run))
    except HookError:
        return None  # it knows one instrument only, and says so
    try:
        return difference(first, session.result(session.reduce([chunk], run)))
    except HookError as error:
        return Difference("", failing(error))


def _first_with_events(subject: Subject) -> Chunk:
    subject.require_native()
    for chunk in subject.chunks:
        if chunk.n_events:
            return chunk
    raise CannotTell(not_tried("the data hold no event."))


def _copes(subject: Subject, make: Callable[[Mapping[str, Any]], Chunk], what: str) -> Found:
    """Reduce a chunk alone, at the beginning, and after a good one."""
    _ = subject.baseline
    like = subject.chunks[0]
    chunk = make({"instrument": like.instrument, "logs": like.logs, "pixel_map": like.pixel_map})
    ways = {
        "alone": [chunk],
        "before others": [chunk, *subject.chunks[:1]],
        "after others": [*subject.chunks[:1], chunk],
    }
    remedy = (
        "Let such a chunk count as what it is: nothing to bin, nothing to divide by, no place for a pixel."
    )
    for way, chunks in ways.items():
        with subject.session() as session:
            try:
                state = session.reduce(chunks, subject.run)
                result = session.result(state)
            except HookError as error:
                return wrong(f"{what}, {way}: {failing(error)}.", remedy)
        problems = [] if result is None or way == "alone" else list(result_problems(result, subject.run))
        if problems:
            return wrong(f"{what}, {way}: {' '.join(problems)}", remedy)
    return ok(f"{what}: alone, before and after others.")
