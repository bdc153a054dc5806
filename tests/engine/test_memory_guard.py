"""A session and its memory: shedding, the end at the limit, and how the next one begins."""

from __future__ import annotations

import json
import threading

import attrs
import numpy as np
import pytest

from hooks_support import run_info
from livered_core.config import Config, LimitsConfig, SourceConfig
from livered_core.engine.memory_ends import MEMORY_FILE
from livered_core.engine.memory_guard import MemoryGuard, give_back
from livered_core.engine.memory_reading import MemoryRoom, MemoryUse, memory_room, memory_use
from livered_core.engine.memory_watch import LEAST_SHARE, MemoryLevel, MemoryStep, MemoryWatch
from livered_core.reduction.run_state import RunState

MB = 10**6
LIMIT = 1000 * MB
CHUNK = 16_000_000


class Clock:
    """Time that moves when the test says so."""

    def __init__(self):
        self.s = 1000.0

    def now_ns(self):
        return int((1_800_000_000 + self.s) * 1e9)

    def monotonic(self):
        return self.s

    def wait(self, event: threading.Event, timeout: float) -> bool:
        raise NotImplementedError


class Life:
    """A fake session: its memory is what the test says, and its sizes what the guard makes them."""

    def __init__(self, folder, clock, *, limit=LIMIT, managed=True):
        self.clock, self.own, self.group, self.state = clock, 0, 0, None
        self.sizes = []
        config = Config(
            "TST",
            max_chunk_events=CHUNK,
            source=SourceConfig(queue_events=CHUNK),
            limits=LimitsConfig(memory=limit),
        )
        self.guard = MemoryGuard(
            config,
            clock,
            lambda: folder,
            {"NOTIFY_SOCKET": "/run/x"} if managed else {},
            room=MemoryRoom(4 * LIMIT),
            read=lambda _room: MemoryUse(self.own, self.group),
        )
        self.advice = self.guard.begin()
        self.guard.attach(lambda *sizes: self.sizes.append(sizes), lambda: self.state)

    def after(self, seconds, own):
        """Let some time pass with so much memory in use; return the first reason to end."""
        self.own = own * MB
        for _ in range(round(seconds * 4)):
            self.clock.s += 0.25
            why = self.guard.look()
            if why:
                return why
        return ""

    def in_run(self, number=5, accumulated=None):
        self.state = RunState(attrs.evolve(run_info(number), start_ns=number), accumulated=accumulated)

    def die(self):
        self.guard._ends.close()


def noted(folder):
    path = folder / MEMORY_FILE
    return json.loads(path.read_text())["ends"] if path.exists() else []


def said(caplog):
    return [record.getMessage() for record in caplog.records]


def test_near_the_limit_livered_sheds_step_by_step_and_says_it_once(tmp_path, caplog):
    life, dropped = Life(tmp_path, Clock()), []
    life.guard.offer(lambda: dropped.append(1))
    assert (life.after(5, 840), life.sizes) == ("", [])
    life.after(60, 900)
    assert life.sizes == [(CHUNK // n, CHUNK // n) for n in (2, 4, 8)]
    assert len(dropped) == 3
    (line,) = said(caplog)
    assert line == (
        "Memory is short: livered has 900.0 MB, its limit is 1.0 GB. Caches are dropped, and chunks and queue made "
        "smaller (8,000,000 and 8,000,000 events at most)."
    )
    status = life.guard.status()
    assert (status.level, status.limit, status.used, status.share) == (
        "shedding",
        LIMIT,
        900 * MB,
        LEAST_SHARE,
    )
    assert status.since_s == pytest.approx(60, abs=2)
    life.after(30, 720)
    assert life.guard.status().level == "shedding"
    caplog.set_level("INFO")
    life.after(2, 690)
    assert life.sizes[-1] == (CHUNK, CHUNK)
    assert said(caplog)[-1] == "Memory is not short any more: livered has 690.0 MB of 1.0 GB."
    life.guard.close()
    assert noted(tmp_path) == []


@pytest.mark.slow
def test_a_peak_of_some_seconds_ends_nothing(tmp_path):
    life = Life(tmp_path, Clock())
    for _ in range(20):
        assert life.after(4, 1500) == ""
        assert life.after(2, 600) == ""


def test_at_the_limit_the_session_ends_and_the_next_begins_with_a_quarter(tmp_path):
    clock = Clock()
    first = Life(tmp_path, clock)
    first.in_run()
    why = first.after(30, 1010)
    assert why == (
        "livered has 1.0 GB of memory; its limit is 1.0 GB, so it ends, to be started again. The next start is more "
        "careful; see memory in [limits]."
    )
    first.guard.close()
    (end,) = noted(tmp_path)
    assert (end["certain"], end["used"], end["run"], end["max_chunk_events"]) == (
        True,
        1010 * MB,
        5,
        CHUNK // 2,
    )
    assert (tmp_path / MEMORY_FILE).stat().st_mode & 0o777 == 0o600
    second = Life(tmp_path, clock)
    assert (second.advice.max_chunk_events, second.advice.begin_from_now) == (CHUNK // 8, False)
    assert second.guard.status().begun_with == second.advice.remark
    second.in_run()
    second.after(5, 300)
    second.in_run(6)
    second.after(5, 300)
    assert second.sizes == [(CHUNK, CHUNK)]
    assert second.guard.status().begun_with == ""
    second.guard.close()
    assert noted(tmp_path) == []


def test_some_hours_without_trouble_are_as_good_as_the_end_of_the_run(tmp_path):
    clock = Clock()
    first = Life(tmp_path, clock)
    first.after(30, 1010)
    first.guard.close()
    second = Life(tmp_path, clock)
    second.in_run()
    second.after(5, 300)
    clock.s += 6 * 3600
    second.after(5, 300)
    second.guard.close()
    assert (second.sizes, noted(tmp_path)) == ([(CHUNK, CHUNK)], [])


def test_data_that_outgrow_the_limit_are_left_out_by_the_next_session(tmp_path):
    clock = Clock()
    first = Life(tmp_path, clock, limit=50 * MB)
    first.in_run(accumulated=[np.ones(40 * MB, np.uint8)])
    why = first.after(30, 60)
    assert ", of which 40.0 MB are what is accumulated; its limit is 50.0 MB" in why
    first.guard.close()
    second = Life(tmp_path, clock, limit=50 * MB)
    assert second.advice.begin_from_now
    assert (
        "what was accumulated of run 5 (40.0 MB) had outgrown the memory limit (50.0 MB)"
        in second.advice.missing
    )
    # Data that come anew may outgrow it again: no start ends sooner than they need for that.
    second.in_run(accumulated=[np.ones(40 * MB, np.uint8)])
    assert second.after(30, 60) != ""


def test_one_that_was_killed_near_the_limit_is_remembered_and_one_that_was_stopped_is_not(tmp_path):
    clock = Clock()
    killed = Life(tmp_path, clock)
    killed.after(5, 900)
    killed.die()
    (end,) = noted(tmp_path)
    assert end["certain"] is False
    stopped = Life(tmp_path, clock)
    assert stopped.advice.max_chunk_events == CHUNK // 8
    stopped.after(5, 900)
    stopped.guard.close()
    assert noted(tmp_path) == []


def test_a_limit_that_is_too_small_to_begin_with_is_said_once_and_no_loop_of_starts(tmp_path, caplog):
    clock = Clock()
    for _ in range(2):
        life = Life(tmp_path, clock)
        assert life.after(30, 1200)
        life.guard.close()
    third = Life(tmp_path, clock)
    assert third.advice.begin_from_now
    caplog.clear()
    assert third.after(300, 1200) == ""
    (helpless,) = [line for line in said(caplog) if "another start would not help" in line]
    assert "Raise memory in [limits]" in helpless
    assert third.after(400, 1200) != ""


def test_what_others_in_the_control_group_use_leads_to_shedding_and_to_no_end(tmp_path):
    watch = MemoryWatch(LIMIT, group_limit=LIMIT)
    steps = [watch.look(float(s), MemoryUse(100 * MB, 1100 * MB)) for s in range(100)]
    assert steps.count(MemoryStep.SHED) == 3
    assert MemoryStep.END not in steps
    assert watch.look(100.0, MemoryUse(100 * MB, 100 * MB)) is MemoryStep.RELAX


def test_without_a_limit_nothing_is_done(tmp_path):
    life = Life(tmp_path, Clock(), limit=0)
    assert (life.after(100, 10**6), life.sizes) == ("", [])
    assert life.guard.status().level == MemoryLevel.UNLIMITED.value


def test_in_a_terminal_the_end_says_that_nothing_starts_it_again(tmp_path):
    assert "so it ends: start it again. " in Life(tmp_path, Clock(), managed=False).after(30, 1010)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 2, "ends": []}', '{"format": 1, "ends": [{"when_ns": "x"}]}']
)
def test_a_damaged_record_counts_as_nothing_and_is_said(tmp_path, caplog, text):
    (tmp_path / MEMORY_FILE).write_text(text)
    assert Life(tmp_path, Clock()).advice.max_chunk_events == CHUNK
    assert "cannot be read" in caplog.text


def test_a_record_that_cannot_be_written_is_said(tmp_path, caplog):
    life = Life(tmp_path / "gone", Clock())
    assert life.after(30, 1010)
    life.guard.close()
    if not (tmp_path / "gone").exists():
        assert "cannot be noted" in caplog.text


# What the machine says.


def machine(folder, files):
    for name, text in {"proc/meminfo": "MemTotal:       8000000 kB\n", **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


V2 = "sys/fs/cgroup/"
V1 = "sys/fs/cgroup/memory/"


@pytest.mark.parametrize(
    ("files", "available"),
    [
        pytest.param({}, 8_192_000_000, id="no control groups"),
        pytest.param(
            {"proc/self/cgroup": "0::/a/b\n", V2 + "a/b/memory.max": "max\n"},
            8_192_000_000,
            id="v2, no limit",
        ),
        pytest.param({"proc/self/cgroup": "0::/a/b\n", V2 + "a/b/memory.max": "5000\n"}, 5000, id="v2"),
        pytest.param(
            {"proc/self/cgroup": "0::/a/b\n", V2 + "a/b/memory.max": "5000\n", V2 + "a/memory.max": "4000\n"},
            4000,
            id="v2, tighter above",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/a\n", V2 + "a/memory.max": "5000\n", V2 + "a/memory.high": "3000\n"},
            3000,
            id="v2, high",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/../x/y\n", V2 + "memory.max": "5000\n"}, 5000, id="v2, in a container"
        ),
        pytest.param(
            {"proc/self/cgroup": "4:cpu,memory:/a\n0::/\n", V1 + "a/memory.limit_in_bytes": "6000\n"},
            6000,
            id="v1",
        ),
        pytest.param(
            {"proc/self/cgroup": "4:memory:/a\n", V1 + "a/memory.limit_in_bytes": "9223372036854771712\n"},
            8_192_000_000,
            id="v1, no limit",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/a\n", V2 + "a/memory.max": "rubbish\n"}, 8_192_000_000, id="rubbish"
        ),
    ],
)
def test_what_this_process_may_have_is_the_smallest_limit(tmp_path, files, available):
    assert memory_room(machine(tmp_path, files)).available == available


def test_what_is_used_is_what_cannot_be_read_again_and_the_group_without_its_cache(tmp_path):
    status = "VmRSS: 900 kB\nRssAnon: 100 kB\nRssFile: 790 kB\nRssShmem: 10 kB\nVmSwap: 50 kB\n"
    files = {
        "proc/self/status": status,
        "proc/self/cgroup": "0::/a\n",
        V2 + "a/memory.max": "5000\n",
        V2 + "a/memory.current": "4000\n",
        V2 + "a/memory.stat": "anon 10\ninactive_file 1000\n",
    }
    root = machine(tmp_path, files)
    assert memory_use(memory_room(root), root) == MemoryUse(160 * 1024, 3000)


def test_without_proc_nothing_is_limited_in_per_cent(tmp_path):
    room = memory_room(tmp_path)
    assert (room.available, memory_use(room, tmp_path)) == (0, MemoryUse(0))
    assert LimitsConfig().memory_bytes(room.available) == 0


def test_this_process_is_seen_to_grow_and_to_give_back():
    room = memory_room()
    before = memory_use(room).own
    held = [bytes(50_000) for _ in range(4000)]
    grown = memory_use(room).own
    assert grown - before > 150 * MB
    del held
    give_back()
    assert memory_use(room).own - before < 50 * MB
