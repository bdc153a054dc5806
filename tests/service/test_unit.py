"""What systemd reads in a unit, by its own manual: an independent reader gives back what was put in."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.errors import ConfigError
from livered_core.service.installed import InstalledUnit, installed_unit
from livered_core.service.unit import (
    MARKER,
    ServiceUnit,
    argument_word,
    command_line,
    path_text,
    program_word,
    unit_name,
    unit_text,
)

ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"'}
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
NASTY = st.text(st.sampled_from(" %$\"'\\;{}a\n\t-@+!:|*~ü#"), max_size=20)


def read_words(line: str) -> list[str]:
    """Split a command line as systemd.syntax(7) says: blanks part words, quotes hold them, backslashes escape."""
    words: list[str] = []
    word: str | None = None
    quote = ""
    characters = iter(line)
    for character in characters:
        if quote and character == quote:
            quote = ""
        elif not quote and character in "\"'":
            quote, word = character, word or ""
        elif character == "\\":
            word = (word or "") + ESCAPES[next(characters)]
        elif not quote and character in " \t":
            if word is not None:
                words.append(word)
            word = None
        else:
            word = (word or "") + character
    assert not quote, "a quotation that does not end"
    return words if word is None else [*words, word]


def without_specifiers(text: str) -> str:
    assert not re.search(r"%(?!%)", text.replace("%%", "")), "a specifier"
    return text.replace("%%", "%")


def without_variables(text: str) -> str:
    assert "$" not in text.replace("$$", ""), "a variable"
    return text.replace("$$", "$")


@given(st.lists(TEXT | NASTY, max_size=4))
def test_arguments_come_out_as_they_went_in(arguments):
    line = command_line(Path("/a b/py%h$x"), tuple(arguments))
    assert "\n" not in line
    program, *words = read_words(line)
    assert without_specifiers(program) == "/a b/py%h$x"
    assert [without_variables(without_specifiers(word)) for word in words] == arguments
    assert ";" not in [word for word in line.split(" ") if word == ";"]


@given(TEXT | NASTY)
def test_a_folder_comes_out_as_it_went_in_or_is_refused(name):
    folder = Path("/") / name if not name.startswith("/") else Path(name)
    try:
        line = path_text(folder)
    except ConfigError:
        assert re.search(r"[\n\t]|\s$|\\$", str(folder)), "refused without a reason"
        return
    assert without_specifiers(line.strip()) == str(folder)
    assert "\n" not in line
    assert not line.endswith("\\")


@pytest.mark.parametrize(
    "path", ["bin/python", '/a"b/python', "/a'b/python", "/a\\b/python", "/a\nb/python", "/\udc80"]
)
def test_programs_that_systemd_does_not_run_are_refused(path):
    with pytest.raises(ConfigError, match="systemd does not run a program with the path"):
        program_word(Path(path))


@pytest.mark.parametrize("argument", ["\x00", "a\x1b", "\x7f", "\udc80"])
def test_arguments_that_cannot_be_written_are_refused(argument):
    with pytest.raises(ConfigError, match="systemd takes no argument with control characters"):
        argument_word(argument)


@pytest.mark.parametrize("folder", ["relative", "/a\nb", "/a ", "/a\\"])
def test_folders_that_cannot_be_written_are_refused(folder):
    with pytest.raises(ConfigError, match="systemd cannot take the path"):
        path_text(Path(folder))


def unit(**more):
    given = {
        "instrument": "NOM",
        "python": Path("/env/bin/python"),
        "module": ("-P", "-m", "livered_core"),
        "host": "bl1b",
        "working_directory": Path("/home/nom/live data"),
        "check": ("check", "--no-connect", "--instrument", "NOM"),
        "run": ("run", "--instrument", "NOM", "--config", "/home/nom/my 100%.toml"),
        "stop_timeout": 80.5,
        "version": "1.2",
    }
    return ServiceUnit(**{**given, **more})


def read(text):
    reader = configparser.RawConfigParser(strict=True)
    reader.optionxform = str
    reader.read_string(text)
    return {section: dict(reader[section]) for section in reader.sections()}


def test_the_unit_holds_what_keeps_a_live_service_alive():
    text = unit_text(unit())
    assert text.startswith(MARKER + "\n")
    assert read(text) == {
        "Unit": {
            "Description": "livered, live data reduction of NOM",
            "ConditionHost": "bl1b",
            "StartLimitIntervalSec": "8640",
            "StartLimitBurst": "1000",
        },
        "Service": {
            "Type": "notify",
            "WatchdogSec": "900",
            "WorkingDirectory": "/home/nom/live data",
            "ExecStartPre": '-"/env/bin/python" -P -m livered_core check --no-connect --instrument NOM',
            "ExecStart": '"/env/bin/python" -P -m livered_core run --instrument NOM --config "/home/nom/my 100%%.toml"',
            "Restart": "always",
            "RestartSec": "10",
            "RestartPreventExitStatus": "2",
            "ExecReload": "/bin/kill -HUP $MAINPID",
            "KillMode": "mixed",
            "TimeoutStartSec": "300",
            "TimeoutStopSec": "81",
            "TimeoutStartFailureMode": "abort",
            "TimeoutStopFailureMode": "abort",
            "TimeoutAbortSec": "30",
            "LimitCORE": "0",
            "OOMPolicy": "continue",
            "NoNewPrivileges": "yes",
            "LockPersonality": "yes",
            "RestrictRealtime": "yes",
            "SystemCallArchitectures": "native",
        },
        "Install": {"WantedBy": "default.target"},
        "X-Livered": {"Version": "1.2", "Config": '""'},
    }


def test_limits_and_credentials_are_in_the_unit_where_they_are_wanted():
    text = unit_text(
        unit(
            watchdog=0.0,
            memory_max="50%",
            cores=2.5,
            credentials=(("monitor", Path("/home/nom/100%/key")),),
            config="/a/b.toml",
        )
    )
    service = read(text)["Service"]
    assert service["WatchdogSec"] == "0"
    assert service["MemoryMax"] == "50%"
    assert service["CPUQuota"] == "250%"
    assert service["Environment"] == "OMP_NUM_THREADS=3 NUMBA_NUM_THREADS=3"
    assert service["LoadCredential"] == "monitor:/home/nom/100%%/key"
    assert read(text)["X-Livered"]["Config"] == '"/a/b.toml"'


@pytest.mark.parametrize("config", ["", "/a b/my 100%.toml", '/a"b\\c.toml', "/ü.toml"])
def test_what_is_written_can_be_read_back(tmp_path, config):
    path = tmp_path / "livered-nom.service"
    path.write_text(unit_text(unit(config=config, python=Path("/e 100%/python"), host="a%b")))
    found = installed_unit(path)
    assert found == InstalledUnit(
        path, "NOM", "a%b", Path("/home/nom/live data"), Path("/e 100%/python"), config, "1.2"
    )


def test_a_unit_of_an_earlier_livered_is_read(tmp_path):
    path = tmp_path / "livered-nom.service"
    path.write_text(unit_text(unit()).partition("\n[X-Livered]")[0])
    found = installed_unit(path)
    assert (found.instrument, found.host, found.config, found.version) == ("NOM", "bl1b", "", "")
    path.write_text(MARKER + "\n[Service]\nConfig=odd\n")
    assert installed_unit(path).instrument == "NOM"


def test_the_name_of_a_unit():
    assert unit_name("NOM") == unit().name == "livered-nom.service"
