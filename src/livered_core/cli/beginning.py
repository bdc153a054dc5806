"""The first lines of the log of a session: what runs, and by whose word."""

from __future__ import annotations

import logging
import os
import platform
import socket
from importlib.metadata import version

from livered_core.engine.setup import LoadedConfiguration

_log = logging.getLogger(__name__)


def say_beginning(loaded: LoadedConfiguration) -> None:
    """Log the versions, and where the configuration is from.

    Parameters
    ----------
    loaded
        The configuration that was read.
    """
    _log.info(
        "livered %s begins for %s: process %d on %s, Python %s.",
        version("livered-core"),
        loaded.config.instrument,
        os.getpid(),
        socket.gethostname(),
        platform.python_version(),
    )
    origins = dict.fromkeys(loaded.merged.origins.values())
    _log.info("The configuration is from %s.", ", ".join(origins) or "nowhere: all values are the defaults")
