"""``python -m livered_core.simulator``: a simulated beamline in a process of its own.

It reads one line from its standard input, a JSON object as `livered_core.simulator.process` writes it, and
answers with one line on its standard output: ``{"host": ..., "port": ...}`` when clients can connect, or
``{"error": "one sentence", "exit_code": 2}``. It lives until its standard input ends, so that it never outlives
the process that started it, or until SIGTERM or SIGINT. Its log goes to standard error, one line each.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import sys
import threading
from types import FrameType

from livered_core.clocks import SystemClock
from livered_core.errors import EXIT_DIED, EXIT_OK, LiveredError
from livered_core.simulator.play import serve
from livered_core.simulator.process import read_order
from livered_core.simulator.server import Address

log = logging.getLogger("livered_core.simulator")


def main() -> int:
    """Run until told to stop; return the exit code."""
    stop = threading.Event()
    asked: queue.SimpleQueue[int] = queue.SimpleQueue()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        # No event here: the interrupted thread may hold its lock.
        asked.put(number)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")

    threading.Thread(
        target=_stop_when_asked, args=(asked, stop), name="simulator-signals", daemon=True
    ).start()
    try:
        order = read_order(sys.stdin.readline())
        threading.Thread(
            target=_stop_at_end_of_input, args=(stop,), name="simulator-stdin", daemon=True
        ).start()
        serve(order.config, order.instrument, Address(order.host, order.port), stop, SystemClock(), _announce)
    except LiveredError as error:
        _answer({"error": " ".join(str(error).split()), "exit_code": error.exit_code})
        return error.exit_code
    except Exception:
        log.exception("The simulated beamline died of an error of its own.")
        _answer(
            {
                "error": "The simulated beamline died of an error of its own; its log says more.",
                "exit_code": EXIT_DIED,
            }
        )
        return EXIT_DIED
    return EXIT_OK


def _stop_when_asked(asked: queue.SimpleQueue[int], stop: threading.Event) -> None:
    asked.get()
    stop.set()


def _stop_at_end_of_input(stop: threading.Event) -> None:
    # The descriptor itself, not sys.stdin: a thread inside its buffer would hold up the end of the interpreter.
    while os.read(0, 4096):
        pass
    stop.set()


def _announce(address: Address) -> None:
    _answer({"host": address.host, "port": address.port})


def _answer(message: dict[str, str | int]) -> None:
    try:
        print(json.dumps(message), flush=True)  # noqa: T201  (the protocol with the parent)
    except BrokenPipeError:
        log.warning("Nobody reads the answer of the simulated beamline.")


if __name__ == "__main__":
    sys.exit(main())
