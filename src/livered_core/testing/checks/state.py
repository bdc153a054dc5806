"""Checks of what a plugin remembers: of the run before, of another instance, and after a crash."""

from __future__ import annotations

from typing import Any

import attrs

from livered_core.engine.fingerprint import allowed_modules
from livered_core.errors import HookError
from livered_core.hooks.plugin_state import RESTORE, SAVE, keeps_state, restore_states, save_states
from livered_core.model import RunEndReason, RunInfo
from livered_core.reduction.checkpoint_codec import CodecDamaged, NotStorable, decode, encode
from livered_core.reduction.run_state import RunState
from livered_core.testing.checks.finding import (
    CannotTell,
    Found,
    failing,
    not_applicable,
    not_tried,
    ok,
    wrong,
)
from livered_core.testing.checks.session import Session
from livered_core.testing.checks.subject import Subject
from livered_core.testing.checks.values import Difference, difference

_FORGET = "Clear in run_started what belongs to a run, and keep nothing in the class or in global variables."


def _next(run: RunInfo) -> RunInfo:
    return attrs.evolve(run, number=run.number + 1, title=f"{run.title}, the next one")


def _reduced(subject: Subject, session: Session) -> Difference | None:
    """Reduce the run; say where what comes of it differs from the baseline."""
    baseline = subject.baseline
    state = session.reduce(subject.chunks, subject.run)
    result = session.result(state, baseline.update)
    session.end(subject.run)
    found = difference(baseline.state.accumulated, state.accumulated)
    return found or difference(baseline.result, result)


def runs_apart(subject: Subject) -> Found:
    """See that nothing of a run goes into the next one: A, B and A again give what A gives."""
    _ = subject.baseline
    other = _next(subject.run)
    with subject.session() as session:
        try:
            first = _reduced(subject, session)
            state = session.reduce([subject.chunks[-1], *subject.chunks[:-1]], other)
            session.result(state)
            session.end(other)
            again = _reduced(subject, session)
        except HookError as error:
            return wrong(f"in the run after, {failing(error)}.", _FORGET)
    if first is not None:
        return wrong(
            f"the same data give something else each time: {first}.",
            "Use nothing but the arguments and settings.",
        )
    if again is not None:
        return wrong(f"the same run after another one gives something else: {again}.", _FORGET)
    return ok("the same run gives the same after another one.")


def instances_apart(subject: Subject) -> Found:
    """See that two instances do not know each other: one reduces between the steps of the other."""
    baseline = subject.baseline
    other = _next(subject.run)
    with subject.session() as session, subject.session() as beside:
        try:
            state, disturbing = session.begin(subject.run), beside.begin(other)
            for chunk in subject.chunks:
                disturbing = beside.take(beside.take(disturbing, chunk), subject.chunks[0])
                state = session.take(state, chunk)
            beside.result(disturbing)
            result = session.result(state, baseline.update)
        except HookError as error:
            return wrong(f"beside another instance, {failing(error)}.", _FORGET)
    found = difference(baseline.state.accumulated, state.accumulated) or difference(baseline.result, result)
    if found is not None:
        return wrong(f"beside another instance it gives something else: {found}.", _FORGET)
    return ok("two instances do not disturb each other.")


def run_edges(subject: Subject) -> Found:
    """See that runs may be empty, stopped and begun again, and that a session may end before it began."""
    if not subject.hooks:
        return not_applicable("it has no hooks.")
    run, other = subject.run, _next(subject.run)
    reduces = bool(subject.transforms) and "native" in subject.data_models
    found = None
    with subject.session() as session:
        session.begin(other)
        session.end(other)
        for reason in (RunEndReason.BEGUN_AGAIN, RunEndReason.SESSION_STOPPED, RunEndReason.REPLACED):
            state = session.begin(other)
            if reduces:
                try:
                    session.result(session.take(state, subject.chunks[0]))
                except HookError as error:
                    raise CannotTell(
                        not_tried(f"it does not get through the data ({failing(error)}).")
                    ) from error
            session.end(other, reason)
        if reduces:
            found = _reduced(subject, session)
        session.begin(run)
    unbegun = subject.session()
    unbegun.__exit__(None, None, None)
    if unbegun.failures:
        failure = unbegun.failures[0]
        return wrong(
            f"session_ended without session_started: {failure.error.rstrip('.')}.",
            "Close what is open, and nothing else: livered calls it also when the start failed.",
        )
    if session.failures:
        failure = session.failures[0]
        where = " at the edge of a run" if failure.hook.startswith("run_") else ""
        return wrong(
            f"{failure.hook} fails{where}: {failure.error.rstrip('.')}.",
            "A run may be empty, or begin again.",
        )
    if found is not None:
        return wrong(
            f"after runs that were empty, stopped and begun again, a run gives something else: {found}.",
            _FORGET,
        )
    return ok("runs may be empty, stopped and begun again, and a session may end before it began.")


def checkpoint(subject: Subject) -> Found:
    """See that a checkpoint can hold what is accumulated, so that a run goes on after a crash."""
    accumulated = subject.baseline.state.accumulated
    try:
        again = _through_the_codec(subject, accumulated, "accumulated")
    except NotStorable as error:
        return wrong(str(error), "Without that, a run begins again after a crash.")
    except CodecDamaged as error:
        return wrong(
            f"what was written of what is accumulated cannot be read again: {error}.",
            "Use classes of the plugin's own package, at the top level of a module.",
        )
    found = difference(accumulated, again, tolerance=0.0)
    if found is not None:
        return wrong(
            f"what is accumulated comes back changed: {found}.", "Keep everything in fields of the class."
        )
    return ok(f"a checkpoint can hold what is accumulated (a {type(accumulated).__name__}).")


def goes_on(subject: Subject) -> Found:
    """See that another process that takes over in the middle of a run comes to the same result."""
    baseline = subject.baseline
    cls = subject.plugin_class
    if keeps_state(cls):
        lacking = [name for name in (SAVE, RESTORE) if not hasattr(cls, name)]
        if lacking:
            return wrong(
                f"there is no {lacking[0]} beside the other one.", f"Write {SAVE} and {RESTORE}, or neither."
            )
    half = max(1, len(subject.chunks) // 2)
    with subject.session() as session:
        state = session.reduce(subject.chunks[:half], subject.run)
        try:
            kept = _through_the_codec(subject, (state.accumulated, save_states([session.plugin])), "")
        except (NotStorable, HookError, CodecDamaged) as error:
            said = str(error)
            return wrong(
                said, f"Let {SAVE} return numbers, texts, arrays, attrs classes and dataclasses of these."
            )
    with subject.session() as session:
        resumed: RunState = attrs.evolve(state, accumulated=kept[0])
        session.begin(subject.run)
        why = restore_states([session.plugin], kept[1])
        if why:
            return wrong(why, f"Let {RESTORE} take what {SAVE} gave.")
        try:
            for chunk in subject.chunks[half:]:
                resumed = session.take(resumed, chunk)
            result = session.result(resumed, baseline.update)
        except HookError as error:
            return wrong(f"after a crash, {failing(error)}.", _keep_remedy())
    found = difference(baseline.state.accumulated, resumed.accumulated) or difference(baseline.result, result)
    if found is not None:
        return wrong(f"after a crash in the middle of the run the result differs: {found}.", _keep_remedy())
    return ok("a run that another process takes over in its middle comes to the same result.")


def _keep_remedy() -> str:
    return f"Keep what the result depends on in what is accumulated, or write {SAVE} and {RESTORE}."


def _through_the_codec(subject: Subject, value: Any, root: str) -> Any:
    allowed = allowed_modules([subject.loaded()])
    pieces = encode(value, root)
    return decode(
        b"".join(bytes(piece) for piece in pieces), lambda module: module.partition(".")[0] in allowed
    )
