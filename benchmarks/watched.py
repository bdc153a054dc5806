"""``livered``, watched: the real program, which says on a pipe what it has done and when. Not a measurement by itself.

    python benchmarks/watched.py FD ARGUMENTS OF livered

Each call of a hook that has come back (with the processor seconds of its thread since the call before), and each result at the
moment at which it is the newest, is one line of JSON on the descriptor FD. It ends when its standard input does, so that it never outlives who started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

PAGE = resource.getpagesize()
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    out = os.fdopen(int(sys.argv[1]), "w", buffering=1)
    threading.Thread(target=end_with_input, daemon=True).start()

    # It imports these anyway.
    from livered_core.cli import main as livered
    from livered_core.engine.session import Session
    from livered_core.hooks.calls import FinishedCall
    from livered_core.model import Result, RunInfo, Update

    def say(what: str, **more: Any) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        line = {
            "is": what,
            "at": time.monotonic(),
            "cpu": used.ru_utime + used.ru_stime,
            "system": used.ru_stime,
            "faults": used.ru_minflt,
            "rss": resident(),
        }
        out.write(json.dumps({**line, **more}) + "\n")

    of_thread = threading.local()

    def called(call: FinishedCall) -> None:
        now = time.thread_time()
        own, of_thread.cpu = now - getattr(of_thread, "cpu", 0.0), now
        say(
            "call",
            hook=call.hook,
            plugin=call.plugin,
            run=call.run,
            began=call.began_s,
            seconds=call.seconds,
            own=own,
            outcome=call.outcome,
            chunk=call.chunk,
        )

    begin, publish = Session.__init__, Session._publish

    def begin_watched(self: Session, *arguments: Any, **more: Any) -> None:
        begin(self, *arguments, **more)
        self.tell_calls(called)

    def publish_watched(self: Session, result: Result, run: RunInfo, update: Update) -> None:
        publish(self, result, run, update)
        newest = self._latest.snapshot()
        say(
            "published",
            published_ns=0 if newest is None else newest.published_ns,
            run=run.number,
            n_events=update.n_events,
            first_ns=update.first_pulse_ns,
            last_ns=update.last_pulse_ns,
            final=update.final,
            complete=update.complete,
            missing=list(update.missing),
            dropped=update.dropped_events,
            peak=peak(),
            threads=of_threads(),
            account={key: value for key, value in result.metadata.items() if isinstance(value, int)},
            curves=[curve.label for curve in result.curves],
            said={
                key: str(result.metadata.get(key, ""))
                for key in ("calibration", "vanadium", "container", "S(Q)")
            },
        )

    # In the class itself: whoever imported it has what is watched.
    setattr(Session, "__init__", begin_watched)  # noqa: B010
    setattr(Session, "_publish", publish_watched)  # noqa: B010
    sys.argv = ["livered", *sys.argv[2:]]
    say("began")
    try:
        livered()
    finally:
        say("ended", peak=peak())


def end_with_input() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def of_threads() -> dict[str, float]:
    """Seconds of processor time of each thread that there is, by name."""
    seconds: dict[str, float] = {}
    for thread in threading.enumerate():
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(")")[2].split()
            seconds[thread.name] = (int(fields[11]) + int(fields[12])) / TICKS
    return seconds


def resident() -> int:
    """Bytes of memory that the process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def peak() -> int:
    """Bytes of memory that the process has had at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
