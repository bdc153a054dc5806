"""The check of updates: they come as often as somebody wants them, and the result is the same."""

from __future__ import annotations

from typing import Final

import attrs

from livered_core.errors import HookError
from livered_core.testing.checks.accumulation import ORDER_MATTERS
from livered_core.testing.checks.finding import Found, failing, not_applicable, ok, wrong
from livered_core.testing.checks.subject import Subject
from livered_core.testing.checks.values import difference

_REMEDY: Final = (
    "Make the result of the arguments of post_process alone: how often updates come is set by update_every."
)


def updates_between(subject: Subject) -> Found:
    """See that updates in between do not change those that follow, and there is a result at the end of a run."""
    baseline = subject.baseline
    with subject.session() as session:
        state = session.begin(subject.run)
        try:
            for chunk in subject.chunks:
                state = session.take(state, chunk)
                session.result(state)
                state = attrs.evolve(state, updates=state.updates + 1)
            result = session.result(state, baseline.update)
            final = session.result(state, attrs.evolve(baseline.update, final=True))
        except HookError as error:
            return wrong(f"with an update after each chunk, {failing(error)}.", _REMEDY)
    if final is None and baseline.result is not None:
        return wrong(
            "there is a result while a run goes on, and none at its end (update.final).",
            "Return a result there, too: it is the one that is kept.",
        )
    # A plugin may leave out updates in between.
    found = None if result is None else difference(baseline.result, result)
    if found is None:
        return ok("an update after each chunk leaves the next as it would be, and there is one at the end.")
    said = f"with an update after each chunk the result differs: {found}."
    if getattr(subject.plugin_class, ORDER_MATTERS, False):
        return not_applicable(f"the class says {ORDER_MATTERS} = True. {said[0].upper()}{said[1:]}")
    return wrong(said, _REMEDY)
