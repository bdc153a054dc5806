"""What the configuration asks a server for."""

from __future__ import annotations

from livered_core.adara import StartRequest
from livered_core.config import Config
from livered_core.model.utc import parse_utc

_AHEAD_NS = 60_000_000_000


def start_problem(config: Config, now_ns: int) -> str:
    """Say in a sentence what is wrong with the time at which to begin; empty when nothing is.

    Parameters
    ----------
    config
        The configuration.
    now_ns
        Wall time, nanoseconds UTC.
    """
    if config.start_time is None or parse_utc(config.start_time) <= now_ns + _AHEAD_NS:
        return ""
    return f"start_time: {config.start_time} is in the future, and everything before it would be left out: correct it."


def start_request(config: Config) -> StartRequest:
    """Return what the configuration asks the server for."""
    if config.start_time is not None:
        return StartRequest.at(parse_utc(config.start_time))
    return StartRequest.start_of_run() if config.from_start_of_run else StartRequest.now()
