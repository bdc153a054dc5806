"""What came of a recording that was reduced, in words."""

from __future__ import annotations

from livered_core.cli.farewell import farewell
from livered_core.cli.numbers import in_uah, left_out_words
from livered_core.engine.health import Health
from livered_core.engine.offline import OfflineReduction, ReducedRun
from livered_core.errors import EXIT_OK


def outcome(reduction: OfflineReduction, seconds: float) -> tuple[list[str], list[str]]:
    """Say what came of a recording whose session has ended.

    Parameters
    ----------
    reduction
        The recording's.
    seconds
        How long it took.

    Returns
    -------
    tuple of two lists
        A line for each run of which there is a result, and a sentence for each thing that went wrong.
    """
    health = reduction.session.health()
    only = len(reduction.runs) == 1
    made, problems = [], []
    for each in reduction.runs:
        if each.update is None:
            continue
        made.append(run_line(each, seconds if only else each.seconds, health))
        if not each.update.complete:
            problems.append(f"run {each.run.number} is INCOMPLETE: {' '.join(each.update.missing)}")
    return made, problems + (reduction.problems() or _nothing_made(reduction, health))


def _nothing_made(reduction: OfflineReduction, health: Health | None) -> list[str]:
    """Say of which runs there is no result, and why."""
    if reduction.ended_early and not any(each.update is not None for each in reduction.runs):
        run = reduction.last_run.run if reduction.last_run is not None else None
        what = "it is not reduced" if run is None else f"run {run.number} is not reduced"
        return [f"{what}, and nothing was written of it: livered was asked to stop."]
    if all(each.update is None for each in reduction.runs):
        return [str(part) for part in farewell(health, reduction.last_run, (), None, EXIT_OK)]
    return [
        f"no result was made of run {each.run.number}: the log says why."
        for each in reduction.runs
        if each.update is None
    ]


def run_line(reduced: ReducedRun, seconds: float, health: Health | None) -> str:
    """Say in one line what came of a run.

    Parameters
    ----------
    reduced
        The run, with a result.
    seconds
        How long it took.
    health
        The snapshot at the session's end, for where the result went; None without.
    """
    update = reduced.update
    assert update is not None
    where = "".join(
        f"; {sink.name}: {sink.last_receipt.where}"
        for sink in (health.sinks if health is not None else ())
        if sink.last_receipt is not None
    )
    return (
        f"run {reduced.run.number}, {update.n_events:,} events in {update.n_pulses:,} pulses, "
        f"{in_uah(update.proton_charge_pc)}, {reduced.n_curves} curves, "
        f"{'complete' if update.complete else 'INCOMPLETE'}"
        f"{left_out_words(update.skipped_chunks, update.skipped_events)}, {seconds:.1f} s{where}"
    )
