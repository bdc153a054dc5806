"""What is said at the end of final results that sinks have not taken."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from livered_core.publish.sinks import Parcel, SinkQueue

_NAMED: Final = 8
"""Run numbers in one sentence; of more, the others are counted."""


def unsent_sentences(queues: Iterable[SinkQueue], late: Collection[str], *, keeps: bool) -> list[str]:
    """Say for each sink what became of the final results that it has not taken.

    Parameters
    ----------
    queues
        The sinks; nothing is changed.
    late
        Names of sinks that did not come back from their call.
    keeps
        Whether final results were to be kept on disk.
    """
    sentences = []
    for queue in queues:
        kept = [parcel for parcel in queue.unsent if parcel.stored]
        lost = [parcel for parcel in queue.unsent if not parcel.stored]
        its_own = "it did not answer in time." if queue.name in late else queue.last_error
        for parcels, fate in ((kept, _kept(len(kept))), (lost, _lost(len(lost)) if keeps else "")):
            if parcels:
                why = its_own or parcels[0].error or "it was not tried."
                sentences.append(f"Sink {queue.name} did not take {_what(parcels)}{fate}: {why}")
    return sentences


def _kept(number: int) -> str:
    what = "which is" if number == 1 else "which are"
    return f", {what} kept on disk and sent when livered starts again"


def _lost(number: int) -> str:
    return f", which could not be kept on disk and {'is' if number == 1 else 'are'} lost to it"


def _what(parcels: Sequence[Parcel]) -> str:
    one = len(parcels) == 1
    return f"the final result{'' if one else 's'} of run{'' if one else 's'} {_runs(parcels)}"


def _runs(parcels: Sequence[Parcel]) -> str:
    numbers = list(dict.fromkeys(str(parcel.run) for parcel in parcels))
    more = len(numbers) - _NAMED
    return ", ".join(numbers[:_NAMED]) + (f" and {more} more" if more > 0 else "")
