"""What was wrong with a trial, and what is worth a look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from livered_core.chunking.counts import PLACES
from livered_core.hooks.calls import FinishedCall, RunningCall
from livered_core.hooks.spec import OUTWARD, TRANSFORMS
from livered_core.testing.trial_nouns import Trial
from livered_core.testing.trial_parts import CurveSummary, TriedRun


def findings(trial: Trial) -> list[str]:
    """Say what is wrong.

    Parameters
    ----------
    trial
        The trial.

    Returns
    -------
    list of str
        One sentence for each thing; empty when all is well. Warnings are not wrong.
    """
    return list(dict.fromkeys(_findings(trial)))


def _findings(trial: Trial) -> Iterator[str]:
    if trial.stopped:
        yield "It was stopped before its end."
    yield from (failed.sentence for failed in trial.failures)
    yield from _of_ends(trial)
    yield from _of_runs(trial)
    yield from _of_hooks(trial)
    yield from _of_sinks(trial)
    yield from _of_counts(trial)
    measured = trial.ns_per_event
    if trial.budget_ns is not None and measured is not None and measured > trial.budget_ns:
        yield f"It takes {measured:.3g} ns for each event, and {trial.budget_ns:g} ns are allowed."


def _of_ends(trial: Trial) -> Iterator[str]:
    if trial.ended:
        raised = [call for call in trial.calls if call.outcome == "raised" and call.error == trial.ended]
        yield (
            f"{raised[-1].plugin} ended the session in {raised[-1].hook}: {trial.ended}"
            if raised
            else trial.ended
        )
    for call in () if trial.ended else trial.unfinished:
        yield f"{call.hook} of {call.plugin} has not come back: livered would have to end without it."
    for name in trial.threads:
        yield f"The thread {name!r} goes on after session_ended, and livered would wait for it: end it there."


def _of_runs(trial: Trial) -> Iterator[str]:
    if not trial.runs:
        if not trial.stopped and not trial.ended:
            yield "Nothing was reduced: the data hold no run."
        return
    for run in trial.runs:
        yield from _of_run(run, "the session ended before" if trial.ended else "it has no chunk with a pulse")


def _of_run(run: TriedRun, why: str) -> Iterator[str]:
    name = f"run {run.run.number}"
    if not run.n_chunks:
        if run.skipped_chunks or run.dropped_chunks:
            parts = ((run.skipped_chunks, "skipped"), (run.dropped_chunks, "lost to failures"))
            why = ", ".join(f"{number} chunks were {what}" for number, what in parts if number)
        yield f"Nothing was reduced of {name}: {why}."
        return
    if run.result is None:
        yield f"There is no result of {name}: post_process made none of what was accumulated."
        return
    if not run.result.curves and not run.result.images:
        yield f"The result of {name} has neither a curve nor an image."
    for curve in run.curves:
        if not curve.n_points:
            yield f"The curve {curve.label!r} of {name} has no points."
        elif not curve.n_finite:
            yield f"The curve {curve.label!r} of {name} has no finite value: all {curve.n_points} are NaN or infinite."


def _of_hooks(trial: Trial) -> Iterator[str]:
    """Find hooks that do the plugin's work and were never called."""
    if not any(run.n_chunks for run in trial.runs):
        return
    called = _called(trial)
    for hook in (*TRANSFORMS, *OUTWARD):
        if hook in trial.hooks and hook not in called:
            yield f"{hook} of {trial.name} was never called: see which plugin answers first, or owns it (hooks.owner)."


def _called(trial: Trial) -> set[str]:
    """Return the hooks of the plugin that were called, whether they came back or not."""
    calls: list[FinishedCall | RunningCall] = [*trial.calls, *trial.unfinished]
    return {call.hook for call in calls if call.plugin == trial.name}


def _of_sinks(trial: Trial) -> Iterator[str]:
    for sink in trial.sinks:
        if sink.refused:
            yield f"The sink {sink.name} refused {sink.refused} results: {sink.error or 'it did not say why'}"
        elif sink.unsent or sink.error:
            yield f"The sink {sink.name} did not take the last result: {sink.error or 'it was not asked in time'}"


def _of_counts(trial: Trial) -> Iterator[str]:
    for name, left, right in sums(trial):
        if left != sum(right.values()):
            yield (
                f"The counts do not add up: {left:,} events {name}, and {sum(right.values()):,} are accounted for. "
                "That is an error of livered: please report it."
            )


_RECEIVED: Final = "received"
_REDUCED: Final = "handed on"


def sums(trial: Trial) -> list[tuple[str, int, dict[str, int]]]:
    """Give the counts of events that must add up.

    Parameters
    ----------
    trial
        The trial.

    Returns
    -------
    list of tuple
        What it is, the number, and its parts by name. Empty where the backend does not count, or where a run came
        more than once, or should have.
    """
    counts = trial.counts
    if "reduced_events" not in counts or trial.begun_again or trial.ended or trial.stopped:
        return []
    received = {place.replace("_", " "): counts.get(f"{place}_events", 0) for place in PLACES}
    received["handed on"] = received.pop("reduced")
    handed_on = {
        "accumulated": sum(run.n_events for run in trial.runs),
        "skipped": sum(run.skipped_events for run in trial.runs),
        "dropped": sum(run.dropped_events for run in trial.runs),
        "in error pixels": counts.get("error_pixel_events", 0),
        "not in the pixel map": counts.get("unmapped_events", 0),
    }
    order = ["handed on", *(name for name in received if name != "handed on")]
    return [
        (_RECEIVED, counts.get("events", 0), {name: received[name] for name in order}),
        (_REDUCED, counts["reduced_events"], handed_on),
    ]


def remarks(trial: Trial) -> list[str]:
    """Say what is worth a look and is not wrong.

    Returns
    -------
    list of str
        One sentence for each thing.
    """
    said = [
        f"Run {run.run.number} is incomplete: {' '.join(run.missing)}" for run in trial.runs if run.missing
    ]
    called = _called(trial)
    quiet = [
        hook
        for hook in trial.hooks
        if hook not in called and hook not in (*TRANSFORMS, *OUTWARD) and hook != "on_error"
    ]
    if quiet:
        said.append(f"Never called: {', '.join(quiet)}.")
    for run in trial.runs:
        said += [f"Run {run.run.number}: {text}" for text in map(_flat, run.curves) if text]
    return said


def _flat(curve: CurveSummary) -> str:
    if curve.n_finite and curve.peak == 0.0 and curve.total == 0.0:
        return f"all values of the curve {curve.label!r} are 0."
    if 0 < curve.n_finite < curve.n_points:
        return f"{curve.n_points - curve.n_finite} of {curve.n_points} values of the curve {curve.label!r} are NaN or infinite."
    return ""
