"""What ``main`` makes of errors, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from livered_support import WAIT, livered, private_environment

RAISE_BEFORE_THE_LOG = """
import livered_core.cli.running as run
def load_configuration(*_, **__):
    raise {error}
run.LoadAgain = lambda *_: load_configuration
"""
RAISE_AFTER_THE_LOG = """
import livered_core.cli.running as run
def session_run(*_):
    raise {error}
run.Session.run = session_run
"""
CALL = "\nfrom livered_core.cli import main\nmain()\n"


def call(folder, code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code + CALL, "run", "--instrument", "NOM", *arguments],
        cwd=folder,
        env=private_environment(folder),
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )


def test_an_unexpected_error_is_one_sentence_and_its_traceback_is_in_the_log(tmp_path):
    result = call(tmp_path, RAISE_AFTER_THE_LOG.format(error="TypeError('odd\\x1b[31m')"), "--plain")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(
        "livered: stopped by an error of its own: TypeError: odd [31m; the traceback is in the log"
    )
    assert "odd" not in result.stdout
    log = (tmp_path / "livereduce.log").read_text()
    assert "\n    Traceback (most recent call last):\n" in log
    assert "TypeError: odd [31m" in log


def test_an_unexpected_error_before_there_is_a_log(tmp_path):
    result = call(tmp_path, RAISE_BEFORE_THE_LOG.format(error="TypeError('odd\\x9b31m')"))
    assert result.returncode == 1
    first, second, *_ = result.stderr.splitlines()
    assert first.startswith("livered: stopped by an error of its own: TypeError: odd 31m;")
    assert second == "Traceback (most recent call last):"
    assert "\x9b" not in result.stderr


def test_an_interrupt_before_the_session_is_one_sentence(tmp_path):
    result = call(tmp_path, RAISE_BEFORE_THE_LOG.format(error="KeyboardInterrupt"))
    assert result.returncode == 1
    assert (result.stdout + result.stderr).strip() == "livered: ended by Ctrl-C."


def test_an_error_of_several_lines_is_one_line_each(tmp_path):
    error = "__import__('livered_core').errors.LiveredError('one\\nlivered: two')"
    result = call(tmp_path, RAISE_AFTER_THE_LOG.format(error=error))
    assert result.returncode == 1
    assert result.stderr == "livered: one livered: two\n"


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--help"], 0), (["--version"], 0), (["run", "--help"], 0), ([], 2)]
)
def test_exit_codes_of_help(tmp_path, arguments, code):
    assert livered(tmp_path, *arguments).returncode == code


def test_a_closed_stderr_does_not_change_the_exit_code(tmp_path):
    command = [sys.executable, "-m", "livered_core", "run", "--instrument", "NUM"]
    result = subprocess.run(
        ["bash", "-c", '"$@" 2>/dev/full; echo $?', "bash", *command],
        cwd=tmp_path,
        env=private_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )
    assert result.stdout == "2\n"
