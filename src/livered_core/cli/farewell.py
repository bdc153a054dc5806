"""What ``livered run`` leaves on the screen when it ends."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from livered_core.cli.numbers import left_out_words
from livered_core.cli.screen import text
from livered_core.cli.view import result_view
from livered_core.engine.health import Health, failure_sentence
from livered_core.engine.session import Session
from livered_core.errors import EXIT_OK
from livered_core.model import Result, Update
from livered_core.model.text import one_line


def farewell(
    health: Health | None,
    last_run: Health | None,
    unsent: Sequence[str],
    failure: BaseException | None,
    code: int,
) -> list[RenderableType]:
    """Say what came of a session.

    Parameters
    ----------
    health
        The snapshot at its end; None when it did not get as far as a source.
    last_run
        The last snapshot that had a run; None without.
    unsent
        A sentence for each sink that did not take a final result.
    failure
        What ended the session, if it was not asked to stop.
    code
        Its exit code.
    """
    parts: list[RenderableType] = []
    if health is not None:
        if health.result is not None and health.update is not None:
            parts += _what_was_made(health, health.result, health.update)
        parts += _what_was_not_made(health, last_run)
    parts += [text(sentence, "red") for sentence in unsent]
    if code != EXIT_OK and failure is not None:
        parts.append(text(f"livered: {failure_sentence(failure)}", "red"))
    return parts


def said_at_end(session: Session) -> list[str]:
    """Return what is said when a session has ended, one line each, and is in its log as well."""
    failure = session.failure
    sentences = [one_line(sentence) for sentence in session.unsent]
    return sentences if failure is None else [*sentences, failure_sentence(failure)]


def _what_was_made(health: Health, result: Result, update: Update) -> list[RenderableType]:
    state = "final" if update.final else "not final, the run was still going on"
    complete = "complete" if update.complete else "INCOMPLETE: " + " ".join(update.missing)
    return [
        result_view(result),
        text(
            f"Run {result.run_number}: {update.n_events:,} events in {update.n_pulses:,} pulses, {complete}"
            f"{left_out_words(update.skipped_chunks, update.skipped_events)}; {state}."
        ),
        *(
            text(f"{sink.name}: {sink.last_receipt.where}")
            for sink in health.sinks
            if sink.last_receipt is not None
        ),
    ]


def _what_was_not_made(health: Health, last_run: Health | None) -> list[Text]:
    if last_run is None or last_run.run is None:
        return (
            [] if health.result is not None else [text(f"No result was made: {_no_run(health)}.", "yellow")]
        )
    number = last_run.run.number
    if health.result is not None and health.result.run_number == number:
        return []
    return [text(f"No result was made of run {number}: {_nothing_made(last_run)}.", "yellow")]


def _no_run(health: Health) -> str:
    if not health.source.counts.get("events", 0):
        return f"no events came from {health.source.where}"
    return "nothing of a run was reduced; the log may say why"


def _nothing_made(last_run: Health) -> str:
    """Say why; the counts are those of a snapshot before the run's end, so they say at least how many."""
    if last_run.dropped_chunks:
        return f"{_chunks(last_run.dropped_chunks)} dropped, and the log says why"
    if last_run.n_chunks:
        return "no update was made of what was accumulated"
    if last_run.skipped_chunks:
        return f"{_chunks(last_run.skipped_chunks)} skipped by the plugin, and none was accumulated"
    if last_run.missing:
        return one_line(" ".join(last_run.missing)).rstrip(".")
    if not last_run.source.counts.get("events", 0):
        return f"no events came from {last_run.source.where}"
    if last_run.failure:
        return "nothing of it could be reduced"
    return "it ended before its first chunk was reduced"


def _chunks(number: int) -> str:
    return f"at least {number:,} chunk{' was' if number == 1 else 's were'}"
