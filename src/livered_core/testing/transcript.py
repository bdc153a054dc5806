"""The calls of hooks written down for people."""

from __future__ import annotations

from collections.abc import Iterable

from livered_core.hooks.calls import FinishedCall


def write_transcript(calls: Iterable[FinishedCall]) -> list[str]:
    """Write a line for each call of a hook, in their order.

    Parameters
    ----------
    calls
        For example `PluginHarness.transcript`.

    Returns
    -------
    list of str
        Run and chunk (``-`` without), plugin and hook, the time it took, and what came of it.

    Examples
    --------
    >>> call = FinishedCall("toy", "process_chunk", 1, 3, 0.0, 0.0125, "returned")
    >>> write_transcript([call])
    ['run 1 chunk 3  toy.process_chunk  12.5 ms']
    """
    calls = list(calls)
    where = [_where(call) for call in calls]
    what = [f"{call.plugin}.{call.hook}" for call in calls]
    times = [f"{call.seconds * 1e3:.1f} ms" for call in calls]
    width = [max(map(len, column), default=0) for column in (where, what, times)]
    return [
        f"{place:<{width[0]}}  {name:<{width[1]}}  {time:>{width[2]}}  {_came_of(call)}".rstrip()
        for call, place, name, time in zip(calls, where, what, times, strict=True)
    ]


def _where(call: FinishedCall) -> str:
    if call.run is None:
        return "-"
    return f"run {call.run}" if call.chunk is None else f"run {call.run} chunk {call.chunk}"


def _came_of(call: FinishedCall) -> str:
    return {
        "returned": "",
        "none": "nothing",
        "skip": "SKIP",
        "raised": f"FAILED: {call.error}",
    }[call.outcome]
