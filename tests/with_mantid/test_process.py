"""``livered`` as a process on Mantid, or on its double: ends, exit codes, and what it says."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import pytest

from live_mantid import PIXELS, beat, now_ns, prologue, pulses
from livered_support import WAIT, livered, private_environment, started
from sms_support import scripted_server
from waiting import until

CONFIG = """
backend = "mantid"
update_every = 0.5

[source]
retry_first = 0.1
retry_longest = 0.2

[mantid]
{mantid}

[plugins.scripts]
post_process = "{script}"
"""
SCRIPT = """
total = SumSpectra(input)
Rebin(total, Params="0,100,20000", PreserveEvents=False, OutputWorkspace=output)
"""
TINY = Path(__file__).with_name("tiny.xml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "post.py").write_text(SCRIPT)
    return tmp_path


@pytest.fixture
def configured(folder):
    """Write the configuration and return the arguments that name it."""

    def configure(mantid: str = "") -> list[str]:
        file = folder / "my.toml"
        file.write_text(CONFIG.format(mantid=mantid, script=folder / "post.py"))
        return ["--instrument", "PG3", "--config", str(file)]

    return configure


@pytest.fixture
def environment(folder, mantid_environment):
    return private_environment(folder, **mantid_environment)


def test_a_simulated_run_from_its_begin_to_its_end(folder, configured, environment):
    arguments = configured()
    text = (folder / "my.toml").read_text()
    (folder / "my.toml").write_text(text + f'\n[simulate]\nrun_length = 4.0\nrate = 5000.0\nidf = "{TINY}"\n')

    done = livered(
        folder, "run", *arguments, "--simulate", "--stop-after-run", "--plain", environment=environment
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "complete; final" in done.stdout
    assert (folder / "output" / "PG3-simulated" / "PG3_1.h5").exists()
    assert "Traceback" not in done.stdout + done.stderr


def lasting(client):
    """A run that goes on until the client has had enough."""
    start_ns = now_ns()
    client.send(*prologue(7, start_ns), *pulses(start_ns, 0, 60))
    beat(client)


def test_sigterm_in_mid_run_ends_mantid_and_then_the_process(folder, configured, environment):
    with (
        scripted_server(lasting) as server,
        started(
            folder, "run", *configured(), "--address", server.address, "--plain", environment=environment
        ) as process,
    ):
        screen = _read_until(process, "update 1")
        process.send_signal(signal.SIGTERM)
        screen += process.stdout.read()
        assert process.wait(WAIT) == 0, screen
    assert f"Run 7: {60 * len(PIXELS)} events" in screen
    assert "Traceback" not in screen


def test_a_server_that_is_not_there_ends_it_with_1_in_the_end(folder, configured, environment):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"

    done = livered(
        folder,
        "run",
        *configured("restarts = 1"),
        "--address",
        address,
        "--plain",
        environment=environment,
    )

    assert done.returncode == 1
    assert "Mantid failed 2 times in a row" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_mantid_that_does_not_end_is_left_behind(folder, configured, environment, double):
    """Without a deadline the process would wait, and without waiting it would crash."""

    def falls_silent(client):
        start_ns = now_ns()
        client.send(*prologue(7, start_ns), *pulses(start_ns, 0, 60))
        client.hold()

    environment["MANTID_DOUBLE_RECEIVE_TIMEOUT"] = "600"
    with (
        scripted_server(falls_silent) as server,
        started(
            folder,
            "run",
            *configured("stop_timeout = 1.0"),
            "--address",
            server.address,
            "--plain",
            environment=environment,
        ) as process,
    ):
        screen = _read_until(process, "update 1")
        process.send_signal(signal.SIGTERM)
        screen += process.stdout.read()
        assert process.wait(WAIT) == 1, screen
    assert "did not end within 1 s" in screen
    status = json.loads((folder / "run" / "livered" / "PG3" / "status.json").read_text())
    assert status["phase"] == "failed"


@pytest.mark.slow
def test_a_script_that_never_ends_is_left_behind_after_a_stop(folder, configured, environment):
    arguments = configured("stop_timeout = 1.0")
    (folder / "post.py").write_text(
        "import time\nopen('looping', 'w').close()\nwhile True: time.sleep(0.01)\n"
    )
    with (
        scripted_server(lasting) as server,
        started(
            folder, "run", *arguments, "--address", server.address, "--plain", environment=environment
        ) as process,
    ):
        until((folder / "looping").exists)
        process.send_signal(signal.SIGTERM)
        screen = process.stdout.read()
        assert process.wait(WAIT) == 1, screen
    assert "the reduction has not come back for" in screen
    assert "Traceback" not in screen


def test_a_start_in_the_future_is_refused(folder, configured, environment):
    configured()
    file = folder / "my.toml"
    file.write_text('start_time = "2099-01-01T00:00:00Z"\n' + file.read_text())
    for command in (["check", "--no-connect"], ["run", "--plain"]):
        done = livered(folder, *command, "--instrument", "PG3", "--config", file, environment=environment)
        assert done.returncode == 2
        assert "is in the future" in done.stdout + done.stderr


def test_check_says_what_mantid_is_and_knows(folder, configured, environment):
    done = livered(folder, "check", *configured(), "--no-connect", environment=environment)

    said = dict(line.split(":", 1) for line in done.stdout.splitlines() if ":" in line)
    assert said["backend"].strip() == "mantid"
    assert said["mantid"].strip()
    assert said["facility"].strip() == "SNS"
    assert said["instrument"].strip() == "POWGEN (PG3)"
    assert said["listener"].strip().startswith("SNSLiveEventDataListener at ")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("mantid", "sentence"),
    [
        ('instrument = "NOSUCH"', "Mantid does not know instrument 'NOSUCH'"),
        ('facility = "NOWHERE"', "[mantid]"),
        ('connection = "nosuch"', "no connection 'nosuch'"),
        ('listener = "NoSuchListener"', "Mantid refuses listener 'NoSuchListener'"),
        ("listener_properties = { PeriodList = [1] }", "has no property 'PeriodList'"),
    ],
)
def test_what_mantid_does_not_know_is_said_and_not_tried_again(
    folder, configured, environment, mantid, sentence
):
    arguments = configured(mantid)
    for command in ("check", "run"):
        more = ["--no-connect"] if command == "check" else ["--plain"]
        done = livered(folder, command, *arguments, *more, environment=environment)
        assert done.returncode == 2, done.stdout + done.stderr
        assert sentence in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr


def _read_until(process, text: str) -> str:
    screen = ""
    for line in process.stdout:
        screen += line
        if text in line:
            return screen
    raise AssertionError(screen)


def test_check_says_why_mantid_is_not_taken(folder, environment):
    """The toy has a plugin for native data only."""
    example = Path(__file__).parents[2] / "examples" / "toy_diffractometer"
    environment["PYTHONPATH"] = f"{environment.get('PYTHONPATH', '')}:{example / 'src'}"
    site = folder / "site"
    (site / "toy-1.dist-info").mkdir(parents=True)
    (site / "toy-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1\n")
    (site / "toy-1.dist-info" / "entry_points.txt").write_text(
        "[livered.instruments]\nTOY = livered_toy.plugin:Toy\n"
    )
    environment["PYTHONPATH"] += f":{site}"
    done = livered(folder, "check", "--instrument", "TOY", "--no-connect", environment=environment)
    assert "mantid:        not used: plugin toy does not work with its data" in done.stdout
    assert "backend:       native" in done.stdout
