"""The page on ADARA is true: its commands are walked through as they stand, its Python runs."""

from __future__ import annotations

import re
import shlex
import signal
import socket

import pytest
from click.testing import CliRunner

from examples_support import REPOSITORY
from livered_core.chunking.counts import PLACES
from livered_core.cli import app
from livered_core.config.faults import CONNECTION_FAULTS, STREAM_FAULTS, parse_fault
from livered_core.config.simulate import SCENARIOS
from livered_support import WAIT, livered, started

PAGE = (REPOSITORY / "docs" / "adara.md").read_text(encoding="utf-8")


def marked(mark: str, language: str) -> list[str]:
    return re.findall(rf"^<!-- {mark} -->\n```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[list[str]]:
    return [shlex.split(line, comments=True)[1:] for line in text.splitlines() if line.startswith("livered ")]


def test_every_command_and_option_named_is_there():
    shown = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    every = [command for block in shown for command in commands(block)]
    assert {command[0] for command in every} == {"simulate", "record", "inspect", "run", "replay"}
    help_of = {name: CliRunner().invoke(app, [name, "--help"]).output for name in {each[0] for each in every}}
    for name, *arguments in every:
        for argument in arguments:
            if argument.startswith("--"):
                assert argument in help_of[name], (name, argument)
    for option in re.findall(r"`(--[a-z-]+)", PAGE):
        assert any(option in text for text in help_of.values()), option


def test_the_names_are_those_of_the_code():
    for fault in {**CONNECTION_FAULTS, **STREAM_FAULTS}:
        assert f"`{fault}`" in PAGE
    for text in re.findall(r"--fault (\S+@[0-9:]+)", PAGE):
        parse_fault(text)
    for scenario in re.findall(r"--scenario ([a-z]+)", PAGE):
        assert scenario in SCENARIOS
    assert " + ".join(f"`{place}`" for place in PLACES) in PAGE.replace("\n  ", " ")


def test_every_link_leads_somewhere():
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (REPOSITORY / "docs" / link).exists(), link


def test_the_python_prints_what_it_says(capsys: pytest.CaptureFixture[str]):
    (text,) = marked("run", "python")
    exec(compile(text, "adara.md", "exec"), {})
    (said,) = re.findall(r"print\(.*\)  # (.*)$", text, re.MULTILINE)
    assert capsys.readouterr().out == said + "\n"


@pytest.mark.slow
def test_the_walk_at_the_desk(tmp_path):
    """Each command in its turn; only the ports are others, because somebody may be using those."""
    simulate, record, looks, reduce, replay = (commands(block) for block in marked("walk", "sh"))

    def elsewhere(command: list[str], port: str) -> list[str]:
        return [word.replace("31415", port).replace("31416", port) for word in command]

    port = free_port()
    with started(tmp_path, *elsewhere(simulate[0], port)) as process:
        assert port in process.stdout.readline()
        result = livered(tmp_path, *elsewhere(record[0], port))
        assert result.returncode == 0, result
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT) == 0
    for command in looks:
        result = livered(tmp_path, *command)
        assert result.returncode == 0, result
    result = livered(tmp_path, *reduce[0])
    assert re.search(r"Run \d+: .* in 1,200 pulses, complete; final\.", result.stdout), result
    port = free_port()
    with started(tmp_path, *elsewhere(replay[0], port)) as process:
        assert port in process.stdout.readline()
        result = livered(tmp_path, "record", "--from", f"localhost:{port}", "again.adara", "--stop-after-run")
        assert result.returncode == 0, result
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT) == 0
    once, again = (livered(tmp_path, "inspect", name).stdout for name in ("run.adara", "again.adara"))
    assert once[once.index("\nrun ") :] == again[again.index("\nrun ") :]


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return str(listening.getsockname()[1])
