"""A simulated beamline in a process of its own, as the engine uses it."""

from __future__ import annotations

import json
import logging
import os
import selectors
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any, Final

import attrs
import cattrs

from livered_core.config import SimulateConfig, format_address
from livered_core.errors import EXIT_CONFIG, ConfigError, LiveredError
from livered_core.interpreter import module_arguments

log = logging.getLogger(__name__)

START_TIMEOUT: Final = 60.0
"""Seconds that the process has to get ready."""
STOP_TIMEOUT: Final = 5.0
"""Seconds that the process has to end before it is killed."""

_POLL: Final = 0.1
_LONGEST_ANSWER: Final = 65_536
_LEVELS: Final = {"INFO": logging.INFO, "WARNING": logging.WARNING, "ERROR": logging.ERROR}


class StartCancelled(LiveredError):  # noqa: N818
    """The start was cancelled from outside."""


@attrs.frozen
class Order:
    """What the process is told, as one line of JSON.

    Attributes
    ----------
    config
        What to play.
    instrument
        Short name in the stream.
    host, port
        Where to listen; port 0 is any free one.
    """

    config: SimulateConfig
    instrument: str
    host: str = "127.0.0.1"
    port: int = 0


def write_order(order: Order) -> str:
    """Write an order as one line of JSON, with its end of line."""
    return json.dumps(_converter().unstructure(order)) + "\n"


def read_order(line: str) -> Order:
    """Read what `write_order` wrote.

    Raises
    ------
    ConfigError
        When it is something else.
    """
    try:
        return _converter().structure(json.loads(line), Order)
    # AttributeError: cattrs asks for the keys of whatever should be a table.
    except (ValueError, TypeError, AttributeError, cattrs.BaseValidationError) as error:
        message = (
            "The simulated beamline was not told what to play in one line of JSON on its standard input: "
            "start it with `livered simulate`."
        )
        raise ConfigError(message) from error


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_unstructure_hook(Path, str)
    converter.register_structure_hook(Path, lambda value, _type: Path(value))
    return converter


class SimulatorProcess:
    """A running simulated beamline; made by `start_simulator`. A context manager that stops it."""

    def __init__(self, child: subprocess.Popen[bytes], address: str, log_reader: threading.Thread) -> None:
        self._child = child
        self._log_reader = log_reader
        self.address = address
        """Where it listens: ``host:port``."""

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._child.pid

    @property
    def is_running(self) -> bool:
        """False when the process has ended."""
        return self._child.poll() is None

    def stop(self, timeout: float = STOP_TIMEOUT) -> int:
        """End the process and wait for that; calling it again is harmless.

        Parameters
        ----------
        timeout
            Seconds until it is killed.

        Returns
        -------
        int
            Its exit code; negative when a signal ended it.
        """
        return _stop(self._child, self._log_reader, timeout)

    def __enter__(self) -> SimulatorProcess:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()


def start_simulator(
    config: SimulateConfig,
    instrument: str,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    timeout: float = START_TIMEOUT,
    cancel: threading.Event | None = None,
) -> SimulatorProcess:
    """Start a simulated beamline in a process of its own and wait until clients can connect.

    It ends with `SimulatorProcess.stop`, and by itself when this process ends however it ends. Signals that a
    terminal sends to this process do not reach it. Its log lines are logged here, below
    ``livered_core.simulator``.

    Parameters
    ----------
    config
        What to play; paths in it must be absolute or relative to the working directory.
    instrument
        Short name in the stream, as in ``--instrument``.
    host, port
        Where it listens; port 0 is any free one.
    timeout
        Seconds that it has to get ready.
    cancel
        Set from another thread or a signal handler, ends the waiting.

    Raises
    ------
    StartCancelled
        When `cancel` was set.
    ConfigError
        With the child's own sentence, when what it is to play or the address cannot be used.
    LiveredError
        When it does not start for another reason.
    """
    child = subprocess.Popen(  # noqa: S603  (our own program)
        [sys.executable, *module_arguments("livered_core.simulator")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    log_reader = threading.Thread(
        target=_pass_log_on, args=(child.stderr,), name="simulator-log", daemon=True
    )
    log_reader.start()
    try:
        _tell(child.stdin, write_order(Order(config, instrument, host, port)))
        answer = _read_answer(child.stdout, timeout, cancel or threading.Event())
        if "error" in answer:
            sentence = str(answer["error"])
            raise ConfigError(sentence) if answer.get("exit_code") == EXIT_CONFIG else LiveredError(sentence)
        address = format_address(answer["host"], answer["port"])
    except BaseException:
        _stop(child, log_reader, STOP_TIMEOUT)
        raise
    return SimulatorProcess(child, address, log_reader)


def _tell(stdin: IO[bytes], line: str) -> None:
    try:
        stdin.write(line.encode())
        stdin.flush()
    except BrokenPipeError:
        # It has ended already: what it answered, or that it did not, says why.
        log.debug("The simulated beamline ended before it was told what to play.")


def _read_answer(stdout: IO[bytes], timeout: float, cancel: threading.Event) -> dict[str, Any]:
    """Wait for the child's line.

    Raises
    ------
    StartCancelled
        When nobody wants it any more.
    LiveredError
        When it does not come in time, or is no answer.
    """
    descriptor = stdout.fileno()
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while not line.endswith(b"\n") and len(line) < _LONGEST_ANSWER:
            polls = 0
            while not selector.select(min(_POLL, timeout)):
                polls += 1
                if cancel.is_set():
                    message = "The simulated beamline was not waited for."
                    raise StartCancelled(message)
                if polls * _POLL >= timeout:
                    message = (
                        f"The simulated beamline did not get ready within {timeout:g} s: the log may say why."
                    )
                    raise LiveredError(message)
            # The whole answer is one write, so that what comes first is all of it.
            data = os.read(descriptor, _LONGEST_ANSWER)
            if not data:
                break
            line += data
    try:
        answer = json.loads(line)
    except ValueError as error:
        message = "The simulated beamline ended before it was ready: the log says why."
        raise LiveredError(message) from error
    return dict(answer)


def _pass_log_on(stderr: IO[bytes]) -> None:
    for line in stderr:
        text = line.decode(errors="replace").rstrip()
        level, _, message = text.partition(" ")
        if level in _LEVELS:
            log.log(_LEVELS[level], "%s", message)
        else:
            log.info("%s", text)


def _stop(child: subprocess.Popen[bytes], log_reader: threading.Thread, timeout: float) -> int:
    if child.stdin is not None and not child.stdin.closed:
        try:
            child.stdin.close()
        except BrokenPipeError:
            log.debug("The simulated beamline had ended already.")
    try:
        code = child.wait(timeout)
    except subprocess.TimeoutExpired:
        log.warning("The simulated beamline did not end within %g s and is killed.", timeout)
        child.kill()
        code = child.wait()
    log_reader.join()
    for pipe in (child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()
    return code
