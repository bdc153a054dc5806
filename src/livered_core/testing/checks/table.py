"""The checks in their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from livered_core.testing.checks import (
    accumulation,
    budget,
    classes,
    lent,
    public,
    results,
    room,
    settings,
    sinks,
    state,
    survival,
    updates,
)
from livered_core.testing.checks.finding import Found
from livered_core.testing.checks.subject import Subject


@attrs.frozen
class Check:
    """One check.

    Attributes
    ----------
    subject
        What it is about.
    name
        Its name, unique.
    look
        Does it.
    """

    subject: str
    name: str
    look: Callable[[Subject], Found]

    @property
    def about(self) -> str:
        """What is the case when all is well, as the end of a sentence."""
        sentence = (self.look.__doc__ or "").partition("\n")[0]
        return sentence.removeprefix("See that ").rstrip(".")


HOOKS: Final = Check("class", "hooks", classes.hooks)
"""Without it no other is tried."""
CHECKS: Final = (
    HOOKS,
    Check("class", "entry point", classes.entry_point),
    Check("class", "distribution", classes.distribution),
    Check("class", "packaged defaults", classes.defaults),
    Check("class", "data models", classes.models),
    Check("class", "imports", budget.imports),
    Check("class", "public names", public.public_imports),
    Check("settings", "settings class", settings.settings_class),
    Check("settings", "settings explained", settings.documented),
    Check("settings", "settings' defaults", settings.default_values),
    Check("settings", "settings strict", settings.strict),
    Check("settings", "constructor", classes.constructor),
    Check("settings", "own check", settings.own_check),
    Check("data", "native data", results.native_data),
    Check("data", "mantid data", results.mantid_data),
    Check("data", "results", results.results),
    Check("data", "result's memory", results.apart),
    Check("data", "chunks not written", lent.not_written),
    Check("data", "chunks not kept", lent.not_kept),
    Check("data", "accumulated not changed", lent.not_changed),
    Check("accumulation", "order of chunks", accumulation.order),
    Check("accumulation", "grouping of chunks", accumulation.grouping),
    Check("accumulation", "sums of sums", accumulation.sums_of_sums),
    Check("accumulation", "room to count", room.room),
    Check("accumulation", "updates in between", updates.updates_between),
    Check("state", "run after run", state.runs_apart),
    Check("state", "two instances", state.instances_apart),
    Check("state", "edges of runs", state.run_edges),
    Check("state", "checkpoint", state.checkpoint),
    Check("state", "after a crash", state.goes_on),
    Check("rare chunks", "no event", survival.empty),
    Check("rare chunks", "one event", survival.one_event),
    Check("rare chunks", "no charge", survival.no_charge),
    Check("rare chunks", "all outside", survival.outside),
    Check("rare chunks", "unknown pixels", survival.unknown_pixels),
    Check("rare chunks", "another instrument", survival.other_instrument),
    Check("cost", "time per event", budget.time_per_event),
    Check("cost", "memory per event", budget.memory_per_event),
    Check("sinks", "receipts", sinks.receipts),
    Check("sinks", "same result twice", sinks.twice),
    Check("sinks", "result not changed", sinks.result_untouched),
    Check("sinks", "leaks", sinks.leaks),
)
