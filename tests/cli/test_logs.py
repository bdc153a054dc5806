from __future__ import annotations

import json
import logging
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.cli.log_json import KEYS, JsonFormatter
from livered_core.cli.logs import (
    LogFormatter,
    ScreenFormatter,
    _PrivateRotatingFile,
    log_file,
    message_lines,
    start_logging,
)
from livered_core.config import LogConfig
from livered_core.errors import ConfigError
from livered_core.model.text import one_line

HEAD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ")
anything = st.text(st.characters(codec=None))


@pytest.fixture(autouse=True)
def logging_as_before():
    root = logging.getLogger()
    before = list(root.handlers), root.level, logging.getLogger("livered_core").level
    yield
    for handler in set(root.handlers) - set(before[0]):
        handler.close()
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    logging.getLogger("livered_core").setLevel(before[2])


def record(message, *arguments, exc_info=None):
    return logging.LogRecord("livered_core.x", logging.ERROR, "x.py", 1, message, arguments, exc_info)


def start(file, shown=None, **more):
    lines = [] if shown is None else shown
    start_logging(LogConfig(file=file, **more), [], lines.append, logging.INFO)
    return lines


@given(anything, anything, anything)
def test_no_text_forges_a_line(title, sentence, trace):
    for item in (record("Run: %s", title), record(title), record("%s\n%s", sentence, trace)):
        written = LogFormatter().format(item)
        written.encode()
        first, *more = written.split("\n")
        assert HEAD.match(first)
        assert all(not line or line.startswith("    ") for line in more)
        assert len(written.splitlines()) == 1 + len(more)
        assert len(ScreenFormatter().format(item).splitlines()) == 1


def test_a_traceback_is_indented_and_not_for_the_screen():
    try:
        raise ValueError("x\x1b[31m\n2026-01-01 00:00:00,000 ERROR forged")
    except ValueError as error:
        item = record("Wrong: %s", "a\nb", exc_info=(type(error), error, error.__traceback__))
    lines = LogFormatter().format(item).split("\n")
    assert lines[0].endswith("ERROR livered_core.x: Wrong: a b")
    assert lines[1] == "    Traceback (most recent call last):"
    assert lines[-2:] == ["    ValueError: x [31m", "    2026-01-01 00:00:00,000 ERROR forged"]
    assert ScreenFormatter().format(item).endswith("Wrong: a b")


def test_a_message_that_cannot_be_put_together_is_told_of():
    class Mute:
        def __str__(self):
            raise RuntimeError

    for item in (record("%s", Mute()), record("%d", "x")):
        assert "x.py line 1 cannot be written" in LogFormatter().format(item)


def test_an_existing_log_becomes_private(tmp_path):
    file = tmp_path / "livered.log"
    file.write_text("before\n")
    file.chmod(0o644)
    start(file)
    logging.getLogger("livered_core.x").error("after")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().startswith("before\n")
    assert file.read_text().endswith("after\n")
    assert log_file() == file


def test_every_rotated_log_is_private(tmp_path):
    start(tmp_path / "livered.log", max_bytes=10_000, backups=2, rate=0)
    for _ in range(30):
        logging.getLogger("livered_core.x").error("x" * 1000)
    files = list(tmp_path.iterdir())
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_ones_own_link_is_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    start(tmp_path / "link")
    logging.getLogger("livered_core.x").error("here")
    assert (tmp_path / "real").read_text().endswith("here\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can make another user's link")
def test_another_users_link_is_refused(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    os.lchown(link, 12345, 12345)
    with pytest.raises(
        ConfigError, match=r"link cannot be written \(it is a symbolic link of another user\)"
    ):
        start(link)
    assert not (tmp_path / "real").exists()


def test_a_log_that_cannot_be_written_is_told_of_once_and_its_device_is_left_alone():
    full = Path("/dev/full")
    before = full.stat().st_mode
    shown = start(full)
    for _ in range(3):
        logging.getLogger("livered_core.x").error("line")
    told = [line for line in shown if "/dev/full" in line]
    assert len(told) == 1
    assert "(no space left on device)" in told[0]
    assert sum(line.endswith(" line") for line in shown) == 3
    assert full.stat().st_mode == before


def test_a_hidden_sentence_is_in_the_file_only(tmp_path):
    shown = []
    start_logging(LogConfig(file=tmp_path / "l"), [], shown.append, logging.INFO, lambda line: line == "end")
    logging.getLogger("livered_core.x").error("%s\n%s", "end", "Traceback")
    logging.getLogger("livered_core.x").error("ending")
    assert [line.partition(" ")[2] for line in shown] == ["ending"]
    assert "x: end\n" in (tmp_path / "l").read_text()


def test_another_process_may_rotate_the_log_or_somebody_remove_it(tmp_path):
    file = tmp_path / "livered.log"
    start(file)
    log = logging.getLogger("livered_core.x")
    log.error("first")
    file.rename(tmp_path / "moved")
    log.error("second")
    file.unlink()
    log.error("third")
    file.rename(tmp_path / "moved again")
    file.write_text("of another process\n")
    log.error("fourth")
    assert file.read_text().count("\n") == 2
    assert file.read_text().endswith("fourth\n")
    (tmp_path / "moved again").rename(file)
    assert (tmp_path / "moved").read_text().endswith("first\n")
    assert file.read_text().count("\n") == 1
    assert file.read_text().endswith("third\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_log_whose_folder_is_gone_is_told_of_and_goes_on_when_it_is_back(tmp_path):
    file = tmp_path / "logs" / "livered.log"
    shown = start(file)
    file.unlink()
    file.parent.rmdir()
    log = logging.getLogger("livered_core.x")
    for _ in range(3):
        log.error("line")
    assert len([line for line in shown if "cannot be written (no such file or directory)" in line]) == 1
    file.parent.mkdir()
    log.error("again")
    assert file.read_text().endswith("again\n")


def test_a_file_that_another_process_has_rotated_is_not_rotated_again(tmp_path):
    config = LogConfig(file=tmp_path / "l", max_bytes=10_000)
    one, other = (_PrivateRotatingFile(config, print, lambda: None) for _ in range(2))
    try:
        one.emit(record("old"))
        one.doRollover()
        other.doRollover()
        other.emit(record("new"))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["l", "l.1"]
        assert (tmp_path / "l").read_text() == "new\n"
    finally:
        one.close()
        other.close()


WRITER = """
import logging, sys
from pathlib import Path
from livered_core.cli.logs import start_logging
from livered_core.config import LogConfig
start_logging(LogConfig(file=Path(sys.argv[1]), max_bytes=20_000, backups=9, rate=0), [], print, logging.CRITICAL)
for number in range(300):
    logging.getLogger("livered_core.x").error("%s %03d %s", sys.argv[2], number, "x" * 100)
logging.shutdown()
"""


def test_two_processes_share_a_log_and_its_rotation(tmp_path):
    file = tmp_path / "livered.log"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, file, name]) for name in ("one", "two")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    files = list(tmp_path.iterdir())
    lines = [line.split(": ")[1][:7] for path in files for line in path.read_text().splitlines()]
    assert sorted(lines) == sorted(f"{name} {number:03d}" for name in ("one", "two") for number in range(300))
    # Nobody has rotated a file that the other one had just begun.
    assert min(path.stat().st_size for path in files if path != file) > 15_000


def test_as_json_each_line_is_one_object(tmp_path):
    start(tmp_path / "l", format="json")
    log = logging.getLogger("livered_core.x")
    log.info("Run %d update %d: %s took %d bytes.", 7, 3, "files\n{", 9, extra={"plugin": "files"})
    try:
        raise ValueError("x\n\x1b[31m")
    except ValueError:
        log.exception("Chunk %d of run %d: %s", 5, 8, "bad \u202e")
    log.warning("100 %% of the sink %s", "m")
    log.error("%s\n%s", "it broke", "Traceback\n  line", extra={"run": None, "chunk": 4, "plugin": "p"})
    first, second, third, fourth = map(json.loads, (tmp_path / "l").read_text().splitlines())
    assert {key: first[key] for key in ("level", "logger", "message", "run", "plugin")} == {
        "level": "INFO",
        "logger": "livered_core.x",
        "message": "Run 7 update 3: files { took 9 bytes.",
        "run": 7,
        "plugin": "files",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["time"])
    assert (second["run"], second["chunk"]) == (8, 5)
    assert second["exception"].startswith("Traceback (most recent call last):\n")
    assert (third["plugin"], third["message"]) == ("m", "100 % of the sink m")
    assert (fourth["message"], fourth["exception"]) == ("it broke", "Traceback\n  line")
    assert {key for line in (first, second, third, fourth) for key in line} == set(KEYS)


def test_a_number_that_is_too_large_to_be_written_costs_no_line(tmp_path):
    shown = start(tmp_path / "l", format="json")
    logging.getLogger("livered_core.x").info("Run %s began", "x", extra={"run": 10**5000, "chunk": 2**63})
    assert not [line for line in shown if "cannot be written" in line]
    (line,) = map(json.loads, (tmp_path / "l").read_text().splitlines())
    assert (line["message"], "run" in line, "chunk" in line) == ("Run x began", False, False)


def test_that_the_log_cannot_be_written_is_json_where_the_screen_is(tmp_path):
    said = []
    config = LogConfig(file=tmp_path / "logs" / "l", format="json")
    start_logging(config, [], said.append, logging.INFO, screen_as_json=True)
    (tmp_path / "logs" / "l").unlink()
    (tmp_path / "logs").rmdir()
    logging.getLogger("livered_core.x").error("something")
    messages = [json.loads(line)["message"] for line in said]
    assert [message for message in messages if "cannot be written" in message]


@given(anything, anything, anything)
def test_no_text_breaks_the_json(title, sentence, trace):
    for item in (
        record("Run: %s", title),
        record(title),
        record("%s\n%s", sentence, trace),
        record("run %d", 10**400),
    ):
        written = JsonFormatter(message_lines).format(item)
        assert written.isascii()
        assert len(written.splitlines()) == 1
        found = json.loads(written, parse_constant=pytest.fail)
        assert found["message"] == one_line(message_lines(item)[0])


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path):
    path = tmp_path / "livereduce.log"
    said = []
    start_logging(LogConfig(file=path), [], said.append, logging.CRITICAL)
    path.unlink()
    os.mkfifo(path)
    logging.getLogger("livered_core").error("something")
    assert f"The log {path} cannot be written" in said[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can give a pipe away")
def test_a_pipe_of_another_user_is_refused(tmp_path):
    path = tmp_path / "livereduce.log"
    os.mkfifo(path)
    os.chown(path, 12345, 12345)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(ConfigError, match="it is a pipe of another user"):
            start_logging(LogConfig(file=path), [], [].append, logging.CRITICAL)
    finally:
        os.close(reader)
