from __future__ import annotations

import concurrent.futures
import gc
import locale
import logging
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from livered_core.testing.leaks import Leak, LeakWatch, no_leaks
from waiting import until

pytest_plugins = "pytester"
pytestmark = pytest.mark.usefixtures("no_leaks")

Undo = Callable[[], object]
SLEEP = [sys.executable, "-c", "import time; time.sleep(100)"]


def wait_here(gate: threading.Event) -> None:
    wait_there(gate)


def wait_there(gate: threading.Event) -> None:
    gate.wait()


def a_thread(tmp_path: Path) -> Undo:
    gate = threading.Event()
    thread = threading.Thread(target=wait_here, args=(gate,), name="sender", daemon=True)
    thread.start()
    return lambda: (gate.set(), thread.join())


def a_pool(tmp_path: Path) -> Undo:
    pool = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="pool")
    pool.submit(print).result()
    return pool.shutdown


def a_file(tmp_path: Path) -> Undo:
    return (tmp_path / "left.txt").open("w").close


def the_same_file_twice(tmp_path: Path) -> Undo:
    first = (tmp_path / "left.txt").open("w")
    second = (tmp_path / "left.txt").open("w")
    return lambda: (first.close(), second.close())


def a_server(tmp_path: Path) -> Undo:
    return socket.create_server(("127.0.0.1", 0)).close


def a_local_socket(tmp_path: Path) -> Undo:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "here"))
    return server.close


def a_pipe(tmp_path: Path) -> Undo:
    ends = os.pipe()
    return lambda: [os.close(end) for end in ends]


def a_selector(tmp_path: Path) -> Undo:
    return select.epoll().close


def an_ended_child(tmp_path: Path) -> Undo:
    process = subprocess.Popen([sys.executable, "-c", ""])
    state = Path("/proc") / str(process.pid) / "stat"
    until(lambda: ") Z " in state.read_text())
    return process.wait


def a_child(tmp_path: Path) -> Undo:
    process = subprocess.Popen(SLEEP)
    until(lambda: b"time.sleep" in Path(f"/proc/{process.pid}/cmdline").read_bytes())
    return lambda: (process.kill(), process.wait())


def a_variable(tmp_path: Path) -> Undo:
    os.environ["LIVERED_LEFT"] = "a-password"
    return lambda: os.environ.pop("LIVERED_LEFT")


def a_changed_variable(tmp_path: Path) -> Undo:
    before, os.environ["HOME"] = os.environ["HOME"], "a-password"
    return lambda: os.environ.update(HOME=before)


def a_variable_less(tmp_path: Path) -> Undo:
    before = os.environ.pop("HOME")
    return lambda: os.environ.update(HOME=before)


def another_folder(tmp_path: Path) -> Undo:
    before = Path.cwd()
    os.chdir(tmp_path)
    return lambda: os.chdir(before)


def a_folder_that_is_gone(tmp_path: Path) -> Undo:
    before = Path.cwd()
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    return lambda: os.chdir(before)


def another_umask(tmp_path: Path) -> Undo:
    before = os.umask(0o007)
    return lambda: os.umask(before)


def more_of_sys_path(tmp_path: Path) -> Undo:
    sys.path.insert(0, "/left/here")
    return lambda: sys.path.remove("/left/here")


def another_order_of_sys_path(tmp_path: Path) -> Undo:
    before = list(sys.path)
    sys.path.reverse()
    return lambda: sys.path.__setitem__(slice(None), before)


def other_arguments(tmp_path: Path) -> Undo:
    before, sys.argv = sys.argv, sys.argv[:-1]
    return lambda: setattr(sys, "argv", before)


def another_locale(tmp_path: Path) -> Undo:
    before = locale.setlocale(locale.LC_ALL)
    locale.setlocale(locale.LC_ALL, "C" if before != "C" else "C.UTF-8")
    return lambda: locale.setlocale(locale.LC_ALL, before)


def a_timeout_for_all(tmp_path: Path) -> Undo:
    socket.setdefaulttimeout(5.0)
    return lambda: socket.setdefaulttimeout(None)


def a_recursion_limit(tmp_path: Path) -> Undo:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(before + 1)
    return lambda: sys.setrecursionlimit(before)


def a_handler_of_a_signal(tmp_path: Path) -> Undo:
    before = signal.signal(signal.SIGUSR2, lambda *_: None)
    return lambda: signal.signal(signal.SIGUSR2, before)


def a_handler_of_logging(tmp_path: Path) -> Undo:
    handler = logging.StreamHandler()
    logging.getLogger().addHandler(handler)
    return lambda: logging.getLogger().removeHandler(handler)


def a_level_of_logging(tmp_path: Path) -> Undo:
    before = logging.getLogger().level
    logging.getLogger().setLevel(7)
    return lambda: logging.getLogger().setLevel(before)


LEFT = [
    (a_thread, "thread", "sender", r"the thread 'sender', which runs wait_here in .*test_leaks\.py:\d+"),
    (a_pool, "thread", "pool_0", r"the thread 'pool_0', which runs \w+ in "),
    (a_file, "file", r".*/left\.txt", r"the open file .*/left\.txt \(descriptor \d+\)"),
    (a_server, "file", r"socket at 127\.0\.0\.1:\d+", r"the socket at 127\.0\.0\.1:\d+ \(descriptor \d+\)"),
    (a_local_socket, "file", "socket at .*/here", "the socket at .*/here"),
    (a_selector, "file", r"anon_inode:\[eventpoll\]", r"the open file anon_inode:\[eventpoll\]"),
    (
        a_child,
        "process",
        "python.*",
        r"the child process \d+ \(.*python.* -c import time; .*\), which still runs",
    ),
    (an_ended_child, "process", "python.*", "which has ended and for which nobody has waited"),
    (a_variable, "variable", "LIVERED_LEFT", "the environment variable LIVERED_LEFT, which is new"),
    (a_changed_variable, "variable", "HOME", "the environment variable HOME, which is changed"),
    (a_variable_less, "variable", "HOME", "the environment variable HOME, which is gone"),
    (another_folder, "setting", "working directory", "the working directory, which was .* and is /"),
    (a_folder_that_is_gone, "setting", "working directory", "and is a folder that is gone"),
    (another_umask, "setting", "umask", r"the umask, which was 0\d+ and is 0007"),
    (more_of_sys_path, "setting", r"sys\.path", r"the sys\.path, which has '/left/here' more"),
    (another_order_of_sys_path, "setting", r"sys\.path", r"the sys\.path, whose order has changed"),
    (other_arguments, "setting", r"sys\.argv", r"the sys\.argv, which lacks '"),
    (another_locale, "setting", "locale", "the locale, which was .* and is C"),
    (a_timeout_for_all, "setting", "default timeout of sockets", "which was None and is 5.0"),
    (a_recursion_limit, "setting", "recursion limit", r"which was \d+ and is \d+1?"),
    (a_handler_of_a_signal, "setting", "handler of SIGUSR2", "which was .*SIG_DFL.* and is <function"),
    (a_handler_of_logging, "setting", "handlers of the root logger", "which has <StreamHandler"),
    (a_level_of_logging, "setting", "level of the root logger", r"which was \w+ and is Level 7"),
]


@pytest.mark.parametrize(("leave", "kind", "name", "what"), LEFT, ids=[each[0].__name__ for each in LEFT])
def test_what_is_left_is_said_and_what_is_restored_is_not(leave, kind, name, what, tmp_path):
    watch = LeakWatch(patience_s=0.02)
    undo = leave(tmp_path)
    try:
        [leak] = watch.leaks()
        text = sentence_of(watch)
        # What the sentence says about ignoring it is true.
        hint = re.search(r'ignore\("(.*)"\)\.$', text)[1]
        watch.ignore(hint)
        watch.check()
    finally:
        undo()
    assert leak.kind == kind
    assert re.fullmatch(name, leak.name)
    assert re.search(what, leak.what)
    assert text.startswith(
        f"The test has left behind {leak.what}: end, close or restore this before the test ends, "
    )
    assert "a-password" not in text
    assert "\n" not in text


def sentence_of(watch: LeakWatch) -> str:
    with pytest.raises(AssertionError) as caught:
        watch.check()
    return str(caught.value)


@pytest.mark.parametrize("leave", [the_same_file_twice, a_pipe], ids=["file", "pipe"])
def test_each_descriptor_counts(leave, tmp_path):
    watch = LeakWatch()
    undo = leave(tmp_path)
    try:
        assert len(watch.leaks()) == 2
    finally:
        undo()
    assert watch.leaks() == []


def test_the_descriptor_that_is_said_is_the_one_that_came(tmp_path):
    with (tmp_path / "log").open("w"):
        watch = LeakWatch()
        with (tmp_path / "log").open("w") as second:
            [leak] = watch.leaks()
            assert leak.what.endswith(f"(descriptor {second.fileno()})")


def test_what_is_restored_is_no_leak(tmp_path):
    with no_leaks():
        for leave, *_ in LEFT:
            leave(tmp_path)()


def test_two_things_are_one_sentence(tmp_path):
    watch = LeakWatch(patience_s=0.0)
    undo = a_file(tmp_path), a_variable(tmp_path)
    try:
        text = sentence_of(watch)
    finally:
        for each in undo:
            each()
    assert "left.txt (descriptor " in text
    assert "; the environment variable LIVERED_LEFT" in text


def test_the_end_of_a_with_is_a_look(tmp_path):
    undo: list[Undo] = []
    with pytest.raises(AssertionError, match="LIVERED_LEFT, which is new"), no_leaks():
        undo.append(a_variable(tmp_path))
    undo[0]()


def test_what_was_there_before_is_not_asked_about(tmp_path):
    undo = [leave(tmp_path) for leave in (a_thread, a_file, a_server, a_child, a_variable)]
    try:
        with no_leaks(patience_s=0.0):
            pass
    finally:
        for each in undo:
            each()


def test_what_is_ending_is_waited_for(tmp_path):
    gate = threading.Event()
    path = tmp_path / "late"

    def work() -> None:
        with path.open("w"):
            gate.wait()

    with no_leaks(patience_s=30.0):
        threading.Thread(target=work).start()
        until(path.exists)
        threading.Timer(0.05, gate.set).start()


class Knot:
    """Refers to itself, and closes its descriptor when it is collected."""

    def __init__(self) -> None:
        self.me = self
        self.descriptor = os.open(os.devnull, os.O_RDONLY)

    def __del__(self) -> None:
        os.close(self.descriptor)


def test_what_only_refers_to_itself_is_collected():
    gc.disable()
    try:
        with no_leaks(patience_s=0.0):
            Knot()
    finally:
        gc.enable()


def test_a_setting_is_not_waited_for(tmp_path):
    watch = LeakWatch(patience_s=1000.0)
    undo = a_variable(tmp_path)
    try:
        sentence_of(watch)
    finally:
        undo()


def test_a_file_that_is_opened_again_is_the_same(tmp_path):
    first = (tmp_path / "log").open("w")
    with no_leaks(patience_s=0.0):
        other = os.open(os.devnull, os.O_RDONLY)
        again = (tmp_path / "log").open("w")
        first.close()
        os.close(other)
    again.close()


def test_what_is_raised_inside_goes_through(tmp_path):
    undo: list[Undo] = []
    with pytest.raises(KeyError, match="mine"), no_leaks():
        undo.append(a_variable(tmp_path))
        raise KeyError("mine")
    undo[0]()


@pytest.mark.parametrize(
    ("ignore", "error", "says"),
    [
        ("thread x", TypeError, "is the text 'thread x': give a list"),
        (["threads x"], ValueError, "'threads x' names nothing: write thread, file"),
        (["thread"], ValueError, "'thread' names nothing"),
    ],
    ids=["text", "kind", "no-name"],
)
def test_a_pattern_that_says_nothing_is_an_error(ignore, error, says):
    with pytest.raises(error, match=says), no_leaks(ignore):
        pass


def test_patterns_are_those_of_file_names():
    leak = Leak("file", "/tmp/a/b.txt", "")
    assert leak.matches("file /tmp/*")
    assert leak.matches("* *.txt")
    assert not leak.matches("file /tmp")
    assert not leak.matches("thread /tmp/*")


USUAL = """
import asyncio, concurrent.futures, logging, multiprocessing, os, random, subprocess, sys, tempfile, threading, urllib.request
import numpy as np
from livered_core.testing.leaks import no_leaks

def work(): pass

def usual():
    random.SystemRandom().random(); os.urandom(8); np.random.default_rng().random(4) @ np.ones(4)
    subprocess.run([sys.executable, "-c", ""], check=True)
    logging.getLogger("some").warning("words")
    asyncio.run(asyncio.sleep(0.001))
    asyncio.run(asyncio.to_thread(work))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(abs, range(4)))
    with tempfile.TemporaryFile() as file, tempfile.TemporaryDirectory():
        file.write(b"x")
    for method in ("spawn", "forkserver"):
        process = multiprocessing.get_context(method).Process(target=work)
        process.start(); process.join(); process.close()
    if "numba" in sys.argv:
        import numba
        numba.njit(cache=True, parallel=True)(lambda x: x.sum())(np.ones(9))

if __name__ == "__main__":
    with no_leaks():
        usual()
    print("nothing is left")
"""


@pytest.mark.parametrize(
    "more", [[], pytest.param(["numba"], marks=pytest.mark.slow)], ids=["python", "numba"]
)
def test_what_python_opens_for_itself_is_no_leak(more, tmp_path):
    if more:
        pytest.importorskip("numba", reason="needs numba")
    (tmp_path / "usual.py").write_text(USUAL)
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "usual.py", *more],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, "nothing is left\n"), done.stderr


TESTS = """
import logging, os, socket, sys, threading
import pytest

@pytest.fixture(scope="module")
def shared():
    os.environ["SHARED"] = "1"
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server
    del os.environ["SHARED"]

@pytest.fixture
def own():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server

def test_of_all_that_pytest_has(
    tmp_path, monkeypatch, caplog, capfd, own, shared, stream_server, monitor_server, no_leaks, recwarn
):
    monkeypatch.setenv("A_B", "c")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    caplog.set_level(logging.DEBUG)
    logging.info("words")
    print("words")
    server = stream_server([b"x"])
    socket.create_connection(("127.0.0.1", server.port)).close()

def test_that_comes_last_of_the_module(no_leaks, shared):
    pass

def test_that_leaves(no_leaks, tmp_path):
    os.environ["A_LEFT"] = "1"

def test_that_fails_anyhow(no_leaks):
    os.environ["B_LEFT"] = "1"
    assert False

def test_that_may(no_leaks):
    os.environ["C_LEFT"] = "1"
    no_leaks.ignore("variable C_*")

def test_that_asks_late(request, monkeypatch):
    monkeypatch.setenv("A_B", "c")
    request.getfixturevalue("no_leaks")

class TestAll:
    @pytest.fixture(autouse=True)
    def clean(self, monkeypatch, no_leaks):
        monkeypatch.setenv("A_B", "c")

    def test_one(self):
        pass
"""


def test_the_fixture_looks_at_all_that_belongs_to_a_test(pytester, monkeypatch):
    for name in ("A_LEFT", "B_LEFT", "C_LEFT"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    pytester.makepyfile(test_it=TESTS)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=6, failed=1, errors=1)
    result.stdout.fnmatch_lines(["The test has left behind the environment variable A_LEFT, which is new: *"])
    assert result.stdout.str().count("has left behind") == 2
    result.stdout.fnmatch_lines(["ERROR test_it.py::test_that_leaves - *"])
