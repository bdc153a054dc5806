"""What a service cannot be started with, in its log: systemd keeps one line of it, and many machines no journal."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from livered_core.cli.logs import start_logging
from livered_core.cli.service_unit import tables_of
from livered_core.config import LogConfig
from livered_core.engine.environment_choice import unchecked_configuration
from livered_core.errors import EXIT_CONFIG, ConfigError, LiveredError
from livered_core.service.notify import Notifier

_log = logging.getLogger(__name__)


@contextmanager
def refusal_logged(
    instrument: str | None, config_file: Path | None, flags: Mapping[str, Any]
) -> Iterator[None]:
    """Write into the log of a service why it does not start; does nothing where no service manager started it.

    What is raised goes on.

    Parameters
    ----------
    instrument, config_file, flags
        As of `load_configuration`: they say where the log is, as far as that can be read.
    """
    try:
        yield
    except LiveredError as error:
        if Notifier.of(os.environ).address:
            # Whoever started it is told in any case.
            with suppress(ConfigError):
                start_logging(
                    _log_config(instrument, config_file, flags), [], lambda _: None, logging.CRITICAL
                )
                _say(error)
        raise


def _log_config(instrument: str | None, config_file: Path | None, flags: Mapping[str, Any]) -> LogConfig:
    try:
        merged = unchecked_configuration(instrument, config_file, flags, os.environ)
        return tables_of(merged, ("log",), Path.cwd()).log
    except ConfigError:
        return LogConfig(file=Path.cwd() / "livereduce.log")


def _say(error: LiveredError) -> None:
    again = " Mend what follows, then: livered service start." if error.exit_code == EXIT_CONFIG else ""
    _log.error("livered cannot start.%s", again)
    for sentence in error.problems if isinstance(error, ConfigError) else str(error).split("\n"):
        _log.error("%s", sentence)
    _log.info("livered ends with exit code %d.", error.exit_code)
