"""Wrong input: one sentence each, the right exit code, no traceback, nothing half written."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from pathlib import Path

import pytest

from livered_support import livered, private_environment, started

TESTS = Path(__file__).parents[1]


def wrong(result, sentence, code=2):
    assert result.returncode == code, result
    lines = result.stderr.strip().splitlines()
    assert lines, result
    assert all(line.startswith("livered: ") for line in lines), result.stderr
    assert re.search(sentence, result.stderr), result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    return lines


@pytest.mark.parametrize("command", ["run", "check", "simulate"])
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("update_evry = 3\n", r"update_evry \(.*c\.toml\) .*did you mean update_every\?"),
        ('update_every = "fast"\n', r"update_every \(.*c\.toml\) must be a number"),
        ("update_every = 0\n", r"update_every \(.*c\.toml\) must be above 0"),
        (
            "[plugins.nom]\ncalibratio = 1\n",
            r"plugins\.nom\.calibratio .*did you mean plugins\.nom\.calibration\?",
        ),
        ("[plugins.nom\n", r"c\.toml.*line 1"),
        (
            "[plugins.pubish_monitor]\n",
            r"Plugin 'pubish_monitor' .* not installed .*did you mean 'publish_monitor'\?",
        ),
        (
            '[plugins.publish_monitor]\npassword = "hunter2"\n',
            r"plugins\.publish_monitor\.password .*looks like a secret",
        ),
    ],
)
def test_wrong_configuration(tmp_path, command, text, sentence):
    (tmp_path / "c.toml").write_text(text)
    wrong(livered(tmp_path, command, "--instrument", "NOM", "--config", "c.toml"), sentence)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.toml", "run"]


def test_a_secret_is_not_repeated(tmp_path):
    (tmp_path / "c.toml").write_text('[plugins.publish_monitor]\npassword = "hunter2"\n')
    result = livered(tmp_path, "check", "--instrument", "NOM", "--config", "c.toml")
    assert "hunter2" not in result.stderr + result.stdout


def test_all_problems_come_at_once(tmp_path):
    (tmp_path / "c.toml").write_text(
        'update_evry = 3\nbackend = "fast"\n[plugins.nowhere]\n[plugins.nom]\nn_bins = -1\n'
    )
    lines = wrong(livered(tmp_path, "run", "--instrument", "NOM", "--config", "c.toml"), "update_evry")
    assert len(lines) >= 4
    for word in ("backend", "nowhere", "n_bins"):
        assert any(word in line for line in lines)


@pytest.mark.parametrize("command", ["run", "check", "simulate"])
def test_an_unknown_instrument(tmp_path, command):
    lines = wrong(
        livered(tmp_path, command, "--instrument", "NUM"), r"Unknown instrument 'NUM' \(did you mean NOM\?\)"
    )
    assert len(lines) == 1


def test_a_configuration_file_that_is_not_there(tmp_path):
    wrong(livered(tmp_path, "run", "--instrument", "NOM", "--config", "nowhere.toml"), r"nowhere\.toml")


@pytest.mark.parametrize("arguments", [["--instrument"], ["--port", "x"], ["frobnicate"]])
def test_wrong_words_on_the_command_line(tmp_path, arguments):
    result = livered(tmp_path, "run", *arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_the_mantid_backend_is_refused_with_a_sentence(tmp_path):
    wrong(livered(tmp_path, "run", "--instrument", "NOM", "--backend", "mantid"), "mantid")


@pytest.mark.parametrize(
    ("variable", "key"),
    [
        ("LIVERED_UPDATE_EVRY", "update_evry"),
        ("LIVERED_PLUGINS__NOM__CALIBRATIO", r"plugins\.nom\.calibratio"),
    ],
)
def test_a_misspelt_variable_of_the_environment(tmp_path, variable, key):
    environment = private_environment(tmp_path, **{variable: "1"})
    wrong(
        livered(tmp_path, "check", "--instrument", "NOM", environment=environment), rf"{key} \(environment\)"
    )


def test_a_calibration_that_is_not_there_is_found_before_the_session(tmp_path):
    (tmp_path / "c.toml").write_text('[plugins.nom]\ncalibration = "nowhere.h5"\n')
    wrong(livered(tmp_path, "run", "--instrument", "NOM", "--config", "c.toml", "--simulate"), r"nowhere\.h5")


def test_an_instrument_definition_that_is_none(tmp_path):
    (tmp_path / "idf.xml").write_text("<not-an-instrument/>")
    wrong(livered(tmp_path, "run", "--instrument", "NOM", "--simulate", "--idf", "idf.xml"), "instrument")


def test_an_output_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    result = livered(
        tmp_path,
        "check",
        "--instrument",
        "NOM",
        "--no-connect",
        environment=private_environment(tmp_path, LIVERED_OUTPUT_DIR=str(tmp_path / "file" / "below")),
    )
    wrong(result, "output_dir: Files cannot be written")


def test_check_tells_that_nobody_answers(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        environment = private_environment(tmp_path, LIVERED_ADDRESS=address)
        assert livered(tmp_path, "check", "--instrument", "NOM", environment=environment).returncode == 0
    wrong(
        livered(tmp_path, "check", "--instrument", "NOM", environment=environment),
        f"address: {address} cannot be reached",
    )


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ('host = "0.0.0.0"', "dashboard: Other machines could see the dashboard at 0.0.0.0"),
        ('token_file = "none"', "dashboard: The token file .*none cannot be read"),
        ('token_file = "open"', "dashboard: The token file .*open can be read by others: chmod 600"),
    ],
)
def test_check_tells_what_would_keep_the_dashboard_from_starting(tmp_path, table, sentence):
    (tmp_path / "open").write_text("a token that is long enough for all the world\n")
    (tmp_path / "open").chmod(0o644)
    (tmp_path / "c.toml").write_text(f"[dashboard]\n{table}\n")
    arguments = ("check", "--no-connect", "--instrument", "NOM", "--config", "c.toml")
    wrong(livered(tmp_path, *arguments, environment=private_environment(tmp_path)), sentence)


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_host_that_no_resolver_takes(tmp_path, command):
    environment = private_environment(tmp_path, LIVERED_ADDRESS="foo..bar:9")
    wrong(
        livered(tmp_path, command, "--instrument", "NOM", environment=environment), r"address \(environment\)"
    )


def test_two_owners_of_a_transform(install, tmp_path):
    source = """
        from livered_core import hookimpl

        class Plugin:
            @hookimpl
            def process_chunk(self, chunk):
                return 1
    """
    site = install(
        "livered-other", {"other_plugin.py": source}, {"livered.plugins": ["other = other_plugin:Plugin"]}
    )
    (tmp_path / "c.toml").write_text("[plugins.other]\n")
    environment = private_environment(tmp_path, PYTHONPATH=os.pathsep.join([str(site), str(TESTS)]))
    arguments = ["check", "--instrument", "NOM", "--no-connect", "--config", "c.toml"]
    wrong(
        livered(tmp_path, *arguments, environment=environment),
        r"nom .* and other .* both implement process_chunk",
    )
    (tmp_path / "c.toml").write_text('[plugins.other]\n[hooks.owner]\nprocess_chunk = "nom"\n')
    assert livered(tmp_path, *arguments, environment=environment).returncode == 0


def read_until(process, text):
    seen = []
    for line in process.stdout:
        seen.append(line)
        if text in line:
            return "".join(seen)
    raise AssertionError("".join(seen))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nobody_listens(tmp_path, number):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
    with started(tmp_path, "run", "--instrument", "NOM", "--address", address) as process:
        screen = read_until(process, "trying again")
        process.send_signal(number)
        screen += process.stdout.read()
        assert process.wait(30) == 0
    assert f"Cannot connect to {address}: connection refused. Check the address" in screen
    assert "Traceback" not in screen
    assert not list((tmp_path / "livered").rglob("*.*"))


def test_garbage_instead_of_adara(tmp_path):
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listening.getsockname()[1]}"

    def talk():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n<html>")

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    with started(tmp_path, "run", "--instrument", "NOM", "--address", address) as process:
        screen = read_until(process, "trying again")
        process.send_signal(signal.SIGINT)
        screen += process.stdout.read()
        assert process.wait(30) == 0
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(30)
    assert address in screen
    assert "ADARA" in screen
    assert "Traceback" not in screen


def test_a_second_session_of_the_same_instrument(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        with started(tmp_path, "run", "--instrument", "NOM", "--address", address) as process:
            listening.accept()[0].close()
            result = livered(tmp_path, "run", "--instrument", "NOM", "--address", address)
            assert result.returncode == 1
            assert f"livered runs already for this instrument (process {process.pid} on" in result.stderr
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
