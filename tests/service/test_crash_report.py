"""Stacks that a dying process leaves, and what the next one says of them."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from livered_core.service.crash_report import MOST_BYTES, hung_at, stacks_kept, stacks_now
from livered_support import WAIT

DIES = """
import logging, os, sys, threading
from pathlib import Path
from livered_core.service.crash_report import stacks_kept

def hang(going):
    going.set()
    threading.Event().wait()

log = Path(sys.argv[1])
log.touch()
with stacks_kept(log):
    going = threading.Event()
    threading.Thread(target=hang, args=(going,), daemon=True).start()
    going.wait()
    print("going", flush=True)
    sys.stdin.read()
"""
STACKS = """\
Fatal Python error: Aborted

Thread 0x00007f0000000003 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 327 in wait
  File "/p/site-packages/livered_core/publish/worker.py", line 12 in _work

Thread 0x00007f0000000002 [livered-reduct] (most recent call first):
  File "{library}/threading.py", line 327 in wait
  File "{library}/json/encoder.py", line 2 in encode
  File "/home/nom/nom_plugin.py", line 17 in process_chunk
  File "/p/site-packages/pluggy/_callers.py", line 77 in _multicall
  File "/p/site-packages/livered_core/reduction/pipeline.py", line 200 in take_chunk
  File "/p/site-packages/livered_core/engine/session.py", line 288 in _reduce
  File "/usr/lib/python3.11/threading.py", line 982 in run

Current thread 0x00007f0000000001 (most recent call first):
  File "/p/site-packages/livered_core/clocks.py", line 3 in wait
  File "/p/site-packages/livered_core/engine/session.py", line 301 in _watch
""".replace("{library}", str(Path(os.__file__).parent))


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "livereduce.log"
    path.touch()
    return path


def left(log):
    return log.with_name("livereduce.log.crash")


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV], ids=["abort", "segfault"])
def test_a_process_that_is_ended_leaves_its_stacks_and_the_next_one_tells(tmp_path, log, caplog, number):
    command = [sys.executable, "-c", DIES, log]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"going\n"
        process.send_signal(number)
        assert process.wait(WAIT) == -number
    assert stat.S_IMODE(left(log).stat().st_mode) == 0o600
    with stacks_kept(log, 900.0):
        assert left(log).read_text() == "", "it is told once"
    (record,) = caplog.records
    first, _, rest = record.getMessage().partition("\n")
    assert "The last life of livered did not end by itself" in first
    how = "aborted, as systemd does when nothing gets on for 900 s" if number == signal.SIGABRT else "Segment"
    assert how in first
    assert "in hang\n" in rest
    assert not left(log).exists()


def test_an_ordinary_end_leaves_nothing(log, caplog):
    with stacks_kept(log):
        assert left(log).exists()
    assert not left(log).exists()
    assert caplog.records == []


def test_where_it_hung_is_the_plugins_line():
    assert hung_at(STACKS) == (
        "the reduction was in process_chunk (nom_plugin.py line 17), at wait (threading.py line 327)"
    )


def test_without_a_reduction_the_main_thread_is_told():
    assert hung_at(STACKS.replace("reduction/pipeline", "other").replace("_reduce", "run")) == (
        "the main thread was in wait (clocks.py line 3)"
    )
    assert hung_at("Fatal Python error: Aborted\n\n<no Python frame>\n") == ""
    assert hung_at("") == ""


@pytest.mark.parametrize(
    "noise", ["\x1b[2J\n", "Thread 0x1 \n" * 50_000, "\xff" * 300_000], ids=["a", "b", "c"]
)
def test_a_file_with_anything_in_it_does_no_harm(log, caplog, noise):
    left(log).write_text(noise)
    with stacks_kept(log):
        pass
    (record,) = caplog.records
    assert "the stacks do not say how" in record.getMessage()
    assert len(record.getMessage()) < MOST_BYTES + 1000


def test_the_stacks_of_a_living_process_name_the_threads():
    going, done = threading.Event(), threading.Event()

    def busy():
        going.set()
        done.wait()

    thread = threading.Thread(target=busy, name="one-of-mine")
    thread.start()
    going.wait()
    text = stacks_now()
    done.set()
    thread.join()
    mine = text.partition("Thread one-of-mine:")[2].partition("\nThread ")[0]
    assert ", in busy\n    done.wait()" in mine
    assert "Thread MainThread:" in text


def test_a_link_of_somebody_is_not_followed(log, tmp_path, caplog):
    target = tmp_path / "precious"
    target.write_text("mine")
    left(log).symlink_to(target)
    with stacks_kept(log):
        pass
    assert target.read_text() == "mine"
    assert "if livered hangs, nothing will say where" in caplog.text


def test_a_pipe_is_not_waited_for(log, caplog):
    os.mkfifo(left(log))
    with stacks_kept(log):
        pass
    assert "if livered hangs, nothing will say where" in caplog.text


@pytest.mark.parametrize("log", [None, "/dev/null"])
def test_without_a_log_that_is_a_file_there_is_none(log, caplog):
    with stacks_kept(None if log is None else Path(log)):
        pass
    assert not Path("/dev/null.crash").exists()
    assert caplog.records == []


def test_who_has_the_file_open_keeps_it(log):
    command = [sys.executable, "-c", DIES, log]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"going\n"
        with stacks_kept(log):
            pass
        assert left(log).exists()
        process.stdin.close()
        assert process.wait(WAIT) == 0
    assert not left(log).exists()
