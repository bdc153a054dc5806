"""The real program, told to load its plugins anew, and plugins that hang at its end."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from adara_support import banked, geometry, new_run, run_info
from livered_support import WAIT, livered, started
from sms_support import scripted_server
from waiting import until

PLUGIN = """
    import attrs
    from livered_core import Curve, Result, hookimpl

    LABEL = "first"


    @attrs.frozen
    class Counts:
        n: int

        def __add__(self, other):
            return Counts(self.n + other.n)


    @attrs.define(eq=False)
    class Instrument:
        @hookimpl
        def process_chunk(self, chunk):
            return Counts(chunk.n_events)

        @hookimpl
        def post_process(self, accumulated, run):
            curve = Curve(LABEL, [0.0], [accumulated.n], [0.0], "one", "counts")
            return Result(run.number, run.title, (curve,))
"""
RUN = ("run", "-i", "RLD", "--plain")


class Beam:
    """A server whose pulses come when a test says so."""

    def __init__(self):
        self.more = threading.Event()

    def __call__(self, client):
        client.send(geometry(), new_run(7), run_info(7), *(banked(i) for i in range(5)))
        if self.more.wait(WAIT):
            client.send(*(banked(i) for i in range(5, 10)))
        client.hold()


@pytest.fixture
def program(install, tmp_path):
    install(
        "livered-rld", {"rld_plugin.py": PLUGIN}, {"livered.instruments": ["RLD = rld_plugin:Instrument"]}
    )
    return Program(tmp_path)


class Program:
    def __init__(self, folder):
        self.folder = folder
        self.source = folder / "site" / "rld_plugin.py"
        run = folder / "run"
        run.mkdir(mode=0o700)
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("LIVERED_", "XDG_"))
        }
        self.environment = {
            **kept,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(run),
            "COLUMNS": "200",
            "PYTHONPATH": str(folder / "site"),
            "LIVERED_UPDATE_EVERY": "0.2",
            "LIVERED_RELOAD__WATCH": "false",
            "LIVERED_PLUGINS__FILES__FORMATS": '["text"]',
        }

    def write(self, text):
        self.source.write_text(textwrap.dedent(text))

    def read(self, name):
        with contextlib.suppress(FileNotFoundError, ValueError):
            return json.loads((self.folder / "run" / "livered" / "RLD" / name).read_text())
        return {}

    @property
    def status(self):
        return self.read("status.json")

    @property
    def curve(self):
        """Label and value of the curve that is shown; None without one."""
        curves = self.read("latest.json").get("curves", [])
        return (curves[0]["label"], curves[0]["y"][0]) if curves else None

    @contextlib.contextmanager
    def running(self, beam, *arguments, **environ):
        # Whoever runs the tests may have a terminal, or ignore hangups.
        command = ["env", "--default-signal=HUP", sys.executable, "-m", "livered_core", *RUN]
        with (
            scripted_server(beam) as server,
            subprocess.Popen(
                [*command, "--address", server.address, *arguments],
                cwd=self.folder,
                env={**self.environment, **environ},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            ) as process,
        ):
            try:
                until(lambda: self.curve or process.poll() is not None)
                assert process.poll() is None, process.communicate()[0]
                yield process
            finally:
                beam.more.set()
                process.kill()

    def reload(self, *arguments):
        return livered(self.folder, "reload", "-i", "RLD", *arguments, environment=self.environment)

    @property
    def log(self):
        return (self.folder / "livereduce.log").read_text()


def ended(process, number=signal.SIGTERM):
    process.send_signal(number)
    process.communicate(timeout=WAIT)
    return process.returncode


def test_changed_code_is_taken_up_and_counts_go_on(program):
    beam = Beam()
    with program.running(beam) as process:
        until(lambda: program.curve == ("first", 10))
        program.write(PLUGIN.replace("first", "second"))
        done = program.reload()
        assert (done.returncode, done.stdout) == (0, "Reloaded: rld 1.0.\n"), done.stderr
        until(lambda: program.curve == ("second", 10))
        beam.more.set()
        until(lambda: program.curve == ("second", 20))
        assert program.status["missing"] == []
        assert ended(process) == 0
    assert "session stopped after 20 events" in program.log


def test_what_is_refused_is_told_everywhere_and_the_old_goes_on(program):
    beam = Beam()
    with program.running(beam) as process:
        program.write(PLUGIN.replace('LABEL = "first"', "import no_such_module"))
        done = program.reload()
        assert done.returncode == 1
        assert "No module named 'no_such_module'. What ran before still runs.\n" in done.stdout
        assert program.status["reload"]["state"] == "refused"
        until(lambda: program.read("failures.json").get("failures"))
        assert program.read("failures.json")["failures"][0]["sentence"] == done.stdout.strip()
        beam.more.set()
        until(lambda: program.curve == ("first", 20))
        program.write(PLUGIN.replace("first", "mended"))
        assert program.reload().returncode == 0
        until(lambda: program.curve == ("mended", 20))
        assert program.status["reload"]["state"] == "ok"
        assert ended(process) == 0


def test_changed_contents_are_found(program):
    with program.running(Beam(), LIVERED_RELOAD__WATCH="true", LIVERED_RELOAD__EVERY="0.1") as process:
        until(lambda: program.status.get("reload", {}).get("looked_ns"))
        program.write(PLUGIN.replace("first", "second"))
        until(lambda: program.curve == ("second", 10))
        assert ended(process) == 0


def test_a_hangup_without_a_terminal_reloads(program):
    with program.running(Beam()) as process:
        program.write(PLUGIN.replace("first", "second"))
        process.send_signal(signal.SIGHUP)
        until(lambda: program.curve == ("second", 10) or process.poll() is not None)
        assert process.poll() is None
        assert ended(process) == 0
    assert "Asked by SIGHUP" in program.log


def test_one_in_a_terminal_can_be_asked_and_its_end_is_the_end(program):
    master, slave = pty.openpty()
    drain = threading.Thread(target=_drained, args=(master,), daemon=True)
    beam = Beam()
    with scripted_server(beam) as server:
        command = ["env", "--default-signal=HUP", sys.executable, "-m", "livered_core", *RUN]
        with subprocess.Popen(
            [*command, "--address", server.address],
            cwd=program.folder,
            env=program.environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        ) as process:
            os.close(slave)
            drain.start()
            try:
                until(lambda: program.curve)
                program.write(PLUGIN.replace("first", "second"))
                assert program.reload().returncode == 0
                until(lambda: program.curve == ("second", 10))
                process.send_signal(signal.SIGHUP)
                assert process.wait(WAIT) == 0
            finally:
                beam.more.set()
                process.kill()
    os.close(master)
    assert "Asked to stop by SIGHUP" in program.log


def _drained(number):
    with contextlib.suppress(OSError):
        while os.read(number, 65536):
            pass


def test_what_does_not_run_is_not_asked(program):
    done = program.reload()
    assert done.returncode == 1
    assert "livered does not run for RLD here" in done.stderr
    with program.running(Beam()) as process:
        assert ended(process) == 0
    done = program.reload()
    assert done.returncode == 1
    assert f"(process {process.pid} is stopped)" in done.stderr
    assert not (program.folder / "run" / "livered" / "RLD" / "reload.request").exists()


@pytest.mark.slow
def test_an_answer_that_does_not_come_in_time(program):
    with program.running(Beam()) as process:
        process.send_signal(signal.SIGSTOP)
        try:
            done = program.reload("--wait", "0.5")
        finally:
            process.send_signal(signal.SIGCONT)
        assert done.returncode == 1
        assert "has not answered within" in done.stderr
        until(lambda: program.status.get("reload", {}).get("answers"))
        assert ended(process) == 0


HANGING_END = (
    PLUGIN
    + """
        @hookimpl
        def session_ended(self):
            __import__("threading").Event().wait()
    """
)
HANGING_HOOK = PLUGIN.replace(
    "return Counts(chunk.n_events)",
    "print('hanging', flush=True); __import__('threading').Event().wait()",
)


def test_a_plugin_that_hangs_at_the_end_does_not_keep_the_process(program):
    program.write(HANGING_END)
    with program.running(Beam(), LIVERED_HOOKS__STOP_TIMEOUT="0.5") as process:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=WAIT)
    assert "Plugin rld has been in session_ended for" in program.log
    assert program.status["phase"] in ("stopped", "failed")


def test_a_hook_that_hangs_when_asked_to_stop_does_not_keep_the_process(program):
    program.write(HANGING_HOOK)
    environment = {**program.environment, "LIVERED_HOOKS__STOP_TIMEOUT": "0.5"}
    beam = Beam()
    with (
        scripted_server(beam) as server,
        started(program.folder, *RUN, "--address", server.address, environment=environment) as process,
    ):
        for line in process.stdout:
            if "hanging" in line:
                break
        beam.more.set()
        assert ended(process) == 1
    assert "Plugin rld has been in process_chunk for" in program.log
