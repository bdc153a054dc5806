"""What the configuration asks a server for."""

from __future__ import annotations

from livered_core.adara import StartRequest
from livered_core.config import Config
from livered_core.model.utc import parse_utc


def start_request(config: Config) -> StartRequest:
    """Return what the configuration asks the server for."""
    if config.start_time is not None:
        return StartRequest.at(parse_utc(config.start_time))
    return StartRequest.start_of_run() if config.from_start_of_run else StartRequest.now()
