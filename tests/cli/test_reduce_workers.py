"""``livered reduce`` over several files with workers: the same files, one start for all, also when a worker is lost."""

from __future__ import annotations

import re
from pathlib import Path

from dask_support import skip_without_dask
from livered_support import livered
from recording_support import run_packets, to_bytes

skip_without_dask()

COUNTS = """
    import os
    import signal
    from pathlib import Path
    from typing import ClassVar

    import numpy as np
    from livered_core import Curve, Result, hookimpl

    class Counts:
        process_elsewhere: ClassVar[bool] = True

        @hookimpl
        def process_chunk(self, chunk, run):
            with Path(os.environ["SEEN"]).open("a") as file:
                file.write(f"{os.getpid()}\\n")
            if run.number == 7 and chunk.sequence == 2 and "DEADLY" in os.environ:
                try:
                    Path(os.environ["DEADLY"]).touch(exist_ok=False)
                except FileExistsError:
                    pass
                else:
                    os.kill(os.getpid(), signal.SIGKILL)
            # Sums of these depend on their order.
            return 1.0 / (chunk.sequence + np.arange(3.0) + chunk.events.tof.sum())

        @hookimpl
        def post_process(self, accumulated, run):
            return Result(run.number, run.title, (Curve("sum", np.arange(3.0), accumulated, accumulated, "one", "one"),))
"""


def untimed(path: Path) -> str:
    """All of a file but when it was made."""
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "then", path.read_text())


def test_the_files_are_the_same_with_workers_of_which_one_is_killed(tmp_path: Path, install, tst):
    install("livered-counts", {"counts.py": COUNTS}, {"livered.instruments": ["COUNTS = counts:Counts"]})
    names = [f"{run}.adara" for run in range(5, 10)]
    for run, name in enumerate(names, 5):
        (tmp_path / name).write_bytes(to_bytes(run_packets(run, n=40)))
    (tmp_path / names[3]).write_bytes(b"not a recording")
    few = {"LIVERED_MAX_CHUNK_EVENTS": "8"}

    def reduce(out: str, *more: str, **environ: str):
        environ = {**tst(SEEN=str(tmp_path / f"{out}.seen"), **environ), **few}
        del environ["LIVERED_PLUGINS__SINK"]
        result = livered(tmp_path, "reduce", "-i", "COUNTS", "-o", out, *more, *names, environment=environ)
        assert result.returncode == 1, result
        pids = set((tmp_path / f"{out}.seen").read_text().split())
        return result, pids, {path.name: untimed(path) for path in (tmp_path / out).iterdir()}

    alone, one, expected = reduce("alone")
    result, several, made = reduce("spread", "--workers", "2", DEADLY=str(tmp_path / "dead"))
    assert (tmp_path / "dead").exists()
    assert made == expected
    assert len(made) == 4
    assert len(one) == 1
    # One start for all files: two workers, and the one that came for the killed one.
    assert 2 <= len(several) <= 3, several
    said = result.stderr.splitlines()
    assert [line for line in said if re.fullmatch(r"2 workers at tls://127\.0\.0\.1:\d+\.", line)], result
    assert "sent again" in result.stderr
    ends = [text.stderr.splitlines()[-1] for text in (alone, result)]
    for end in ends:
        assert re.fullmatch(r"4 of 5 files reduced, 1 failed: 240 events of [\d.]+ kB in .*\.", end), result
    runs = [re.sub(r", \d+\.\d s; .*", "", line) for line in result.stdout.splitlines()]
    assert runs == [re.sub(r", \d+\.\d s; .*", "", line) for line in alone.stdout.splitlines()]
    assert len(runs) == 4
