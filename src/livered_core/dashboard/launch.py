"""A dashboard in a process of its own, as ``livered run --dashboard`` has it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import IO, Final
from urllib.parse import quote

from livered_core.config import DashboardConfig, format_address
from livered_core.dashboard.neighbour import identity, is_ours, lacks_token
from livered_core.dashboard.serve import OPEN_ALREADY, folder_of_all, require_packages, shown_host
from livered_core.errors import ConfigError
from livered_core.interpreter import module_arguments

STOP_TIMEOUT: Final = 5.0
"""Seconds that the process has to end before it is killed."""

_log = logging.getLogger(__name__)
_NONE: Final = "There is no dashboard: %s The reduction goes on without."


class DashboardProcess:
    """A dashboard that is started beside livered and ends with it; it lives on when livered is killed.

    Nothing here waits for it: what it says and why it does not start is logged from a thread. Where one of the same
    person and folder listens already, that one is used, and stays.

    Parameters
    ----------
    config
        Where it listens, and who may see it.
    environ
        Environment variables, for it and for the place of the run directories.
    shown
        Name of the run directory that the page opens with; empty for the page's own choice.
    """

    def __init__(self, config: DashboardConfig, environ: Mapping[str, str], *, shown: str = "") -> None:
        self._config = config
        self._anchor = f"#{quote(shown, safe='')}" if shown else ""
        self._environ = dict(environ)
        self._child: subprocess.Popen[bytes] | None = None
        self._ends = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="livered-dashboard", daemon=True)
        self.address = ""
        """Where the page is, with what it opens with; empty while it is not there."""

    def start(self) -> None:
        """Begin to start it; returns at once."""
        self._thread.start()

    def terminate(self) -> None:
        """Ask it to end; for signal handlers: takes no lock and does not wait."""
        child = self._child
        if child is not None and child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGTERM)

    def stop(self) -> None:
        """End it and wait for that; calling it again is harmless, and so is calling it without `start`."""
        with self._lock:
            self._ends.set()
        self.address = ""
        child = self._child
        if child is None:
            return
        self.terminate()
        try:
            child.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self._thread.join(STOP_TIMEOUT)

    def _run(self) -> None:
        try:
            require_packages()
            self._use_or_start()
        except (ConfigError, OSError) as error:
            _log.warning(_NONE, _sentence(str(error)))

    def _use_or_start(self) -> None:
        if self._is_there():
            return
        with self._lock:
            if self._ends.is_set():
                return
            self._child = child = subprocess.Popen(  # noqa: S603  (our own program)
                [sys.executable, *module_arguments("livered_core"), "dashboard", *self._flags()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environ,
                start_new_session=True,
            )
        assert child.stdout is not None
        assert child.stderr is not None
        with child.stdout, child.stderr:
            line = child.stdout.readline().decode(errors="replace").strip()
            if line:
                self.address = f"{line.rpartition(' ')[2]}{self._anchor}"
                _log.info("%s%s", line, self._anchor)
            said = _pass_on(child.stderr, to_log=bool(line))
        code = child.wait()
        self.address = ""
        if self._ends.is_set():
            return
        if line and not code:
            # A service manager asks all processes at once.
            _log.info("The dashboard was asked to stop.")
        elif line:
            _log.warning("The dashboard has ended by itself (exit code %d); the reduction goes on.", code)
        elif not self._is_there():
            _log.warning(_NONE, _sentence(said or f"it ended with exit code {code}"))

    def _is_there(self) -> bool:
        """Use a dashboard that is there already; false without."""
        host, port = self._config.host, self._config.port
        ours = identity(folder_of_all(self._environ))
        if not port or not is_ours(host, port, ours):
            return False
        if self._config.token_file is not None and lacks_token(host, port, ours):
            raise ConfigError(OPEN_ALREADY.format(where=f"{host} port {port}"))
        self.address = f"http://{format_address(shown_host(host), port)}/{self._anchor}"
        _log.info("The dashboard that is there already is used, and stays: %s", self.address)
        return True

    def _flags(self) -> list[str]:
        config = self._config
        flags = ["--host", config.host, "--port", str(config.port)]
        return flags if config.token_file is None else [*flags, "--token-file", str(config.token_file)]


def _pass_on(stderr: IO[bytes], *, to_log: bool) -> str:
    """Read what it says until it ends; what is not logged is returned."""
    said = []
    for line in stderr:
        text = line.decode(errors="replace").strip()
        if to_log:
            _log.warning("Dashboard: %s", text)
        else:
            said.append(text.removeprefix("livered: "))
    return " ".join(said)[-1000:]


def _sentence(text: str) -> str:
    return text.rstrip(".") + "."
