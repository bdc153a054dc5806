"""One livered per instrument: who may keep a state folder, also where hosts share it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import attrs
import pytest

from livered_core.clocks import SystemClock
from livered_core.engine.instance_lock import INSTANCE_LOCK, InstanceLock, Machine, RunningElsewhere
from livered_core.engine.lease import RECORD_BYTES, Owner, Standing, from_record, judge, to_record
from livered_core.publish.lock_file import LockHeld, take
from livered_core.publish.run_directory import AlreadyRunning
from livered_core.simulator.process import StartCancelled
from waiting import until

S = 10**9
NOW = 1_800_000_000 * S
ME = Owner("here", "boot", "space", 10, 5, "me", NOW)
OTHER = attrs.evolve(ME, pid=11, token="other", beat_ns=NOW - 5 * S)
ELSEWHERE = attrs.evolve(OTHER, host="there", boot="its boot")


@pytest.mark.parametrize(
    ("found", "locked", "alive", "standing"),
    [
        pytest.param(None, True, False, Standing.FREE, id="nobody"),
        pytest.param(None, None, False, Standing.FREE, id="nobody, no locks"),
        pytest.param(None, False, False, Standing.BEGINNING, id="somebody has locked and not yet signed"),
        pytest.param(ME, True, True, Standing.FREE, id="this one"),
        pytest.param(OTHER, False, True, Standing.KEPT_HERE, id="here and alive"),
        pytest.param(OTHER, None, True, Standing.KEPT_HERE, id="here and alive, no locks"),
        pytest.param(OTHER, True, False, Standing.FREE, id="here and gone, or its number is another's"),
        pytest.param(OTHER, None, False, Standing.FREE, id="here and gone, no locks"),
        pytest.param(OTHER, False, False, Standing.BEGINNING, id="here and gone, and locked by another"),
        pytest.param(
            attrs.evolve(OTHER, boot="x"), True, True, Standing.FREE, id="before a restart of the machine"
        ),
        pytest.param(
            attrs.evolve(OTHER, space="x"), True, True, Standing.FREE, id="a container that is gone"
        ),
        pytest.param(
            attrs.evolve(OTHER, space="x"), None, True, Standing.KEPT_ELSEWHERE, id="a container, no locks"
        ),
        pytest.param(
            ELSEWHERE, True, False, Standing.KEPT_ELSEWHERE, id="another host, whose lock is not seen here"
        ),
        pytest.param(
            ELSEWHERE, False, False, Standing.KEPT_ELSEWHERE, id="another host, whose lock is seen here"
        ),
        pytest.param(
            attrs.evolve(ELSEWHERE, beat_ns=NOW - 121 * S),
            False,
            True,
            Standing.SILENT,
            id="another host, silent",
        ),
        pytest.param(
            attrs.evolve(ELSEWHERE, beat_ns=NOW + 121 * S),
            True,
            True,
            Standing.SILENT,
            id="another host, wrong clock",
        ),
    ],
)
def test_who_may_keep_a_folder(found, locked, alive, standing):
    assert judge(found, ME, locked=locked, alive=alive).standing is standing


def test_a_record_is_read_as_it_was_written_and_damage_is_told_from_nobody():
    assert len(to_record(ME)) == RECORD_BYTES
    assert from_record(to_record(ME)) == ME
    assert from_record(to_record(None)) is from_record(b"") is None
    for damaged in (
        to_record(ME)[:50],
        b"\xff",
        b"[]",
        b'{"pid": 1}',
        to_record(ME).replace(b"10,", b'"x",'),
    ):
        with pytest.raises(ValueError, match="cannot be read"):
            from_record(damaged)


def test_a_process_is_told_from_another_with_its_number():
    machine = Machine.this()
    me = machine.owner(0)
    assert machine.is_alive(me)
    assert not machine.is_alive(attrs.evolve(me, started=me.started - 1))
    child = subprocess.Popen([sys.executable, "-c", ""])
    owner = attrs.evolve(me, pid=child.pid, started=machine.started(child.pid) or 1)
    until(lambda: not machine.is_alive(owner))  # a zombie counts as gone
    child.wait()


def no_locks(_descriptor):
    raise OSError(errno.ENOLCK, "No locks available")


def kept_by_a_lock(_descriptor):
    raise LockHeld("a file server")


def make(folder, *, machine=None, lock=take, cancel=None, watch_s=0.3):
    return InstanceLock(
        lambda: folder,
        SystemClock(),
        cancel or threading.Event(),
        machine=machine,
        lock=lock,
        settle_s=0.1,
        watch_s=watch_s,
    )


def written(folder):
    return from_record((folder / INSTANCE_LOCK).read_bytes())


def leave(folder, **changes):
    owner = attrs.evolve(Machine.this().owner(SystemClock().now_ns()), token="before", **changes)
    (folder / INSTANCE_LOCK).touch()
    with (folder / INSTANCE_LOCK).open("r+b", buffering=0) as file:
        file.write(to_record(owner))


@pytest.mark.parametrize("lock", [take, no_locks], ids=["locks", "no locks"])
def test_one_of_two_on_a_machine_has_it_and_the_other_names_it(tmp_path, lock):
    with make(tmp_path, lock=lock):
        assert written(tmp_path).pid == os.getpid()
        assert (tmp_path / INSTANCE_LOCK).stat().st_mode & 0o777 == 0o600
        with (
            pytest.raises(AlreadyRunning, match=rf"process {os.getpid()} on .* keeps {tmp_path}") as refused,
            make(tmp_path, lock=lock),
        ):
            pass
        assert refused.value.exit_code == 1
    assert written(tmp_path) is None
    with make(tmp_path, lock=lock):
        pass


@pytest.mark.parametrize("lock", [take, kept_by_a_lock, no_locks], ids=["unseen", "seen", "no locks"])
def test_another_host_is_named_and_leads_to_another_try(tmp_path, lock):
    leave(tmp_path, host="there", boot="x", pid=4711)
    with (
        pytest.raises(RunningElsewhere, match="process 4711 on there, last heard of") as refused,
        make(tmp_path, lock=lock),
    ):
        pass
    assert refused.value.exit_code == 1
    assert written(tmp_path).pid == 4711


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"started": 1}, "is gone"),
        ({"boot": "x"}, "the machine was restarted since"),
        ({"host": "there", "boot": "x", "beat_ns": 0}, "is watched for 0.3 s"),
    ],
    ids=["its number is another's", "the machine was restarted", "another host is silent"],
)
@pytest.mark.parametrize("lock", [take, no_locks], ids=["locks", "no locks"])
def test_the_place_of_one_that_is_gone_is_taken_and_that_is_said(tmp_path, caplog, lock, changes, said):
    leave(tmp_path, **changes)
    with make(tmp_path, lock=lock):
        assert written(tmp_path).pid == os.getpid()
    words = [record.getMessage() for record in caplog.records]
    assert said in words[0]
    assert "its place is taken" in words[-1]


def test_a_dead_host_whose_lock_the_file_server_still_keeps_is_taken_over(tmp_path):
    leave(tmp_path, host="there", boot="x", beat_ns=0)
    with make(tmp_path, lock=kept_by_a_lock):
        assert written(tmp_path).pid == os.getpid()


@pytest.mark.parametrize("beat_ns", [0, 1 << 62], ids=["behind", "ahead"])
def test_a_host_with_a_wrong_clock_is_alive_while_it_beats(tmp_path, beat_ns):
    leave(tmp_path, host="there", boot="x", beat_ns=beat_ns)
    stop = threading.Event()

    def beat():
        for n in range(1000):
            leave(tmp_path, host="there", boot="x", beat_ns=beat_ns + n)
            if stop.wait(0.02):
                return

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with pytest.raises(RunningElsewhere, match="on there"), make(tmp_path, watch_s=0.2):
            pass
    finally:
        stop.set()
        thread.join()


def test_waiting_for_another_host_can_be_given_up(tmp_path):
    leave(tmp_path, host="there", boot="x", beat_ns=0)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(StartCancelled), make(tmp_path, watch_s=60, cancel=cancel):
        pass


def test_who_was_taken_over_notices_and_leaves_the_other_alone(tmp_path):
    with make(tmp_path) as lock:
        assert lock.lost == ""
        leave(tmp_path, host="there", boot="x", pid=4711)
        until(lambda: lock.lost)
        assert "Process 4711 on there has taken over" in lock.lost
    assert written(tmp_path).pid == 4711


def test_a_lock_that_somebody_removes_is_made_again(tmp_path):
    with make(tmp_path) as lock:
        (tmp_path / INSTANCE_LOCK).unlink()
        until((tmp_path / INSTANCE_LOCK).exists)
        until(lambda: written(tmp_path))
        with pytest.raises(AlreadyRunning), make(tmp_path):
            pass
        assert lock.lost == ""


def test_heartbeats_follow_the_clock(tmp_path, monkeypatch):
    monkeypatch.setattr("livered_core.engine.instance_lock.BEAT_EVERY_S", 0.02)
    with make(tmp_path):
        first = written(tmp_path).beat_ns
        until(lambda: (owner := written(tmp_path)) and owner.beat_ns > first)


def test_without_a_state_folder_livered_goes_on_and_says_so(tmp_path, caplog):
    with make(tmp_path / "not there") as lock:
        assert lock.lost == ""
    (said,) = caplog.records
    assert "The state folder cannot be locked" in said.getMessage()


CONTENDER = """
    import errno, sys, threading
    from pathlib import Path
    from livered_core.clocks import SystemClock
    from livered_core.engine.instance_lock import InstanceLock
    from livered_core.errors import LiveredError
    from livered_core.publish.lock_file import take

    def no_locks(_):
        raise OSError(errno.ENOLCK, "No locks available")

    lock = InstanceLock(
        lambda: Path(sys.argv[1]), SystemClock(), threading.Event(),
        lock=take if sys.argv[2] == "locks" else no_locks, settle_s=1.0,
    )
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        with lock:
            print("won", flush=True)
            sys.stdin.readline()
            print("lost later" if lock.lost else "kept", flush=True)
    except LiveredError as error:
        print(f"refused {error}", flush=True)
"""


@pytest.mark.parametrize(
    "stale", [pytest.param(False, marks=pytest.mark.slow, id="free"), pytest.param(True, id="stale")]
)
@pytest.mark.parametrize("locks", ["locks", "no locks"])
def test_of_twenty_processes_at_once_just_one_has_it(tmp_path, locks, stale):
    if stale:
        leave(tmp_path, started=1)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(CONTENDER), str(tmp_path), locks],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(20)
    ]
    try:
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.stdout.readline() for process in processes]
        winners = [n for n, answer in enumerate(answers) if answer == "won\n"]
        assert len(winners) == 1
        (winner,) = (processes[n] for n in winners)
        # Without locks it may be one that was about to have it.
        named = f"process {winner.pid} on" if locks == "locks" else ""
        losers = [answer for n, answer in enumerate(answers) if n not in winners]
        assert all(answer.startswith("refused livered runs already") and named in answer for answer in losers)
        winner.stdin.write("end\n")
        winner.stdin.flush()
        assert winner.stdout.readline() == "kept\n"
    finally:
        for process in processes:
            process.stdin.close()
            process.wait(30)
            process.stdout.close()
    assert written(tmp_path) is None


@pytest.mark.parametrize(
    "lock", [lambda _: None, no_locks], ids=["locks that do not reach each other", "no locks"]
)
def test_of_ten_hosts_at_once_just_one_stays(tmp_path, monkeypatch, lock):
    monkeypatch.setattr("livered_core.engine.instance_lock.BEAT_EVERY_S", 0.05)
    begin, end, refused = threading.Barrier(10), threading.Event(), []
    locks = [make(tmp_path, lock=lock, machine=Machine(f"host{n}", f"boot{n}", "")) for n in range(10)]

    def contend(one):
        begin.wait()
        try:
            with one:
                end.wait()
        except RunningElsewhere:
            refused.append(one)

    threads = [threading.Thread(target=contend, args=(one,)) for one in locks]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(refused) + sum(bool(one.lost) for one in locks) == 9)
        (winner,) = [one for one in locks if one not in refused and not one.lost]
        before = written(tmp_path)
        until(lambda: (owner := written(tmp_path)) and owner.beat_ns > before.beat_ns)
        assert written(tmp_path).token == before.token
        assert not winner.lost
    finally:
        end.set()
        for thread in threads:
            thread.join()
    assert written(tmp_path) is None


def test_a_lock_is_taken_over_from_a_process_that_was_killed(tmp_path):
    arguments = [sys.executable, "-c", textwrap.dedent(CONTENDER), str(tmp_path), "locks"]
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        assert process.stdout.readline() == "won\n"
        process.kill()
        process.wait(30)
    assert written(tmp_path).pid == process.pid
    with make(tmp_path):
        assert written(tmp_path).pid == os.getpid()


def test_the_file_is_not_followed_where_it_is_a_link(tmp_path, caplog):
    (tmp_path / "precious").write_text("keep")
    (tmp_path / INSTANCE_LOCK).symlink_to(tmp_path / "precious")
    with make(tmp_path):
        pass
    assert Path(tmp_path / "precious").read_text() == "keep"
    assert "cannot be locked" in caplog.text
