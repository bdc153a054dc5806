"""A fault, what is promised of it, and what became of it: one line of the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from _pytest.mark.structures import ParameterSet

if TYPE_CHECKING:
    from faults.stage import Stage


@attrs.frozen
class Outcome:
    """What became of the judged run.

    Attributes
    ----------
    sent
        Events that the server had for it.
    reduced
        Events in its last result.
    left_out
        Events that livered counted as left out, and why.
    missing
        What it says is missing.
    complete
        Whether it calls the run complete.
    exact
        Whether the result is bit by bit that of all good events that were sent.
    recovery_s
        Seconds from the fault to the next result with data from after it; None where there is nothing to wait for.
    notes
        Anything else for the table.
    """

    sent: int
    reduced: int
    left_out: int
    missing: tuple[str, ...]
    complete: bool
    exact: bool
    recovery_s: float | None
    notes: str = ""

    @property
    def lost(self) -> int:
        """Events that livered never saw; it can only say that there were some."""
        return self.sent - self.reduced - self.left_out


@attrs.frozen
class Scenario:
    """One fault.

    Attributes
    ----------
    name
        Identifier of the test.
    section
        Heading in the table.
    fault
        What happens.
    done
        What the test does to make it happen.
    livered
        What livered does about it: the promise.
    play
        Acts it out; leaves the judged run's result in the run directory.
    exact
        Whether the result is promised to be that of an undisturbed run.
    said
        Where it is not: pattern of what must be said to be missing; empty where it is only counted.
    """

    name: str
    section: str
    fault: str
    done: str
    livered: str
    play: Callable[[Stage], None]
    exact: bool = True
    said: str = ""

    def judge(self, outcome: Outcome) -> None:
        """Assert that the accounting adds up and the promise was kept."""
        assert outcome.lost >= 0, f"more was reduced than sent: {outcome}"
        assert outcome.reduced > 0, outcome
        if self.exact:
            assert outcome.exact, outcome
            assert outcome.lost == 0, outcome
            return
        assert not outcome.exact or not outcome.lost
        if outcome.lost:
            assert self.said, f"events are lost and nothing is promised to be said of it: {outcome}"
        if self.said:
            assert not outcome.complete, outcome
            assert re.search(self.said, " ".join(outcome.missing)), outcome

    def row(self, outcome: Outcome) -> dict[str, Any]:
        """Make the line of the table."""
        return {
            "section": self.section,
            "name": self.name,
            "fault": self.fault,
            "done": self.done,
            "livered": self.livered,
            "sent": outcome.sent,
            "reduced": outcome.reduced,
            "left_out": outcome.left_out,
            "lost": outcome.lost,
            "exact": outcome.exact,
            "said": list(outcome.missing),
            "recovery_s": outcome.recovery_s,
            "notes": outcome.notes,
        }


LONG = frozenset(
    (
        "beamline-clock-to-and-fro",
        "disk-all-full",
        "disk-all-full-killed",
        "connection-stall",
        "dns-gone",
        "killed-again-and-again",
        "killed-all-torn",
        "killed-at-random-0",
        "killed-at-random-1",
        "killed-before-final",
        "killed-clock-back",
        "killed-empty",
        "killed-flipped",
        "killed-folder",
        "killed-frozen",
        "killed-in-checkpoint-remove",
        "killed-in-checkpoint-rename",
        "killed-in-process-chunk",
        "killed-next-run",
        "killed-other-code",
        "killed-other-settings",
        "killed-rebooted",
        "killed-server-forgot",
        "killed-server-forgot-other-code",
        "killed-stopped",
        "killed-torn",
        "killed-while-replaying",
        "monitor-refuses",
        "monitor-name-unknown",
        "network-swallows",
        "nomad-killed",
        "plugin-always-raises",
        "plugin-exits",
        "plugin-hangs-for-ever",
        "plugin-leaks",
        "plugin-result-nonsense",
        "plugin-result-raises",
        "plugin-slow",
        "run-transitions",
        "server-is-late",
    )
)
"""Faults that the ordinary suite leaves out because others are like them or they take long: `make faults` has them."""


def cases(scenarios: Iterable[Scenario]) -> list[ParameterSet]:
    """Make parameters of tests."""
    return [
        pytest.param(scenario, id=scenario.name, marks=[pytest.mark.slow] if scenario.name in LONG else [])
        for scenario in scenarios
    ]
