"""One run whose texts are all hostile, through the whole program: nothing leaves its place, nothing becomes a command."""

from __future__ import annotations

import json
import os
import re
import socket
import stat

import attrs
import pytest

from adara_support import START, banked, end_run, geometry, new_run
from led_beamline import engine_environment
from livered_core.adara import (
    Device,
    DeviceDescriptor,
    ProcessVariable,
    RunDetails,
    RunInfoPacket,
    VariableString,
    device_descriptor_xml,
    run_info_xml,
)
from livered_support import livered
from sms_support import scripted_server

HOSTILE = (
    "../../../../escaped/{run}/%s%n/$(touch pwned)`touch pwned`;touch pwned;"
    "</title></script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    "\x9b31m\u202edesrever\u2028second\nMAINPID=1\nSTOPPING=1\n2026-01-01 00:00:00,000 ERROR forged: line"
)
CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
MARKUP = re.compile(r"<script>alert|<img src=x")
PRIVATE = ("run", ".local", "livereduce.log")
SAID = re.compile(r"(READY=1|WATCHDOG=1|STOPPING=1|RELOADING=1|MONOTONIC_USEC=\d+|STATUS=[^\n]*)")


def hostile_run(client):
    details = RunDetails(
        run_number=7,
        title=HOSTILE,
        proposal_id=HOSTILE,
        proposal_title=HOSTILE,
        instrument=HOSTILE,
        facility=HOSTILE,
        sample={"name": HOSTILE, "chemical_formula": HOSTILE},
    )
    device = Device(HOSTILE, {1: ProcessVariable(HOSTILE, "string", HOSTILE, HOSTILE)})
    client.send(
        geometry(),
        DeviceDescriptor(time_ns=START, device_id=1, xml=device_descriptor_xml(device)),
        new_run(7),
        RunInfoPacket(time_ns=START, xml=run_info_xml(details)),
        VariableString(time_ns=START, device_id=1, variable_id=1, value=HOSTILE),
        *(banked(index) for index in range(9)),
        end_run(7),
    )
    client.hold()


@attrs.frozen
class Outcome:
    """What a run left: files by their path below its folder, and what it told the service manager."""

    folder: object
    files: dict[str, bytes]
    screen: str
    told: list[str]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "a" / "b" / "c" / "home"
    folder.mkdir(parents=True)
    environment = {
        **engine_environment(folder),
        "LIVERED_PLUGINS__FILES__FORMATS": '["text", "nexus", "html", "mantid"]',
        "LIVERED_PLUGINS__FILES__NAME": "{instrument}_{run}_{proposal}",
        "LIVERED_OUTPUT_DIR": str(folder / "output"),
        "LIVERED_PLUGINS__FILES__DIRECTORY": str(folder / "output" / "{proposal}" / "{run}"),
        "LIVERED_LOG__LEVEL": "DEBUG",
        "NOTIFY_SOCKET": str(folder / "manager"),
    }
    before = set(folder.parents[2].rglob("*"))
    told: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, scripted_server(hostile_run) as server:
        manager.bind(environment["NOTIFY_SOCKET"])
        umask = os.umask(0)  # who leaves all doors open is livered's user, too
        command = ("run", "-i", "TST", "--plain", "--stop-after-run", "--address", server.address)
        try:
            done = livered(folder, *command, environment=environment)
        finally:
            os.umask(umask)
        assert done.returncode == 0, done
        manager.setblocking(False)
        try:
            while True:
                told.append(manager.recv(65536).decode())
        except BlockingIOError:
            pass
    made = set(folder.parents[2].rglob("*")) - before
    files = {os.path.relpath(path, folder): path.read_bytes() for path in made if path.is_file()}
    return Outcome(folder, files, done.stdout + done.stderr, told)


@pytest.mark.promise("S6")
def test_no_file_is_made_outside_its_folders(outcome):
    kept = ("output/", "run/livered/TST/", ".local/state/livered/TST/", "livereduce.log", "site/", ".cache/")
    assert [name for name in outcome.files if not name.startswith(kept)] == []
    results = [name.removeprefix("output/") for name in outcome.files if name.startswith("output/")]
    assert {name.rpartition(".")[2] for name in results} >= {"h5", "dat", "html"}
    parts = {part for name in results for part in name.split("/")}
    assert all(re.fullmatch(r"\w[\w.-]*", part, re.ASCII) for part in parts), parts
    assert all(name.rpartition("/")[2].startswith("TST_7_escaped") for name in results), results


@pytest.mark.promise("S5")
def test_no_text_acts_on_a_terminal_or_begins_a_line_of_its_own(outcome):
    texts = {name: outcome.files[name].decode() for name in outcome.files if name.endswith((".dat", ".log"))}
    for name, text in {"the screen": outcome.screen, **texts}.items():
        assert "desrever" in text, name
        assert not CONTROLS.search(text), name
        assert not re.search(r"^(2026-01-01|MAINPID|STOPPING)", text, re.MULTILINE), name


@pytest.mark.promise("S5")
def test_no_text_becomes_markup(outcome):
    pages = [data.decode() for name, data in outcome.files.items() if name.endswith(".html")]
    assert len(pages) == 1
    assert "desrever" in pages[0]
    assert not MARKUP.search(pages[0])


@pytest.mark.promise("S5")
def test_the_run_directory_is_json_in_ascii(outcome):
    documents = {name: data for name, data in outcome.files.items() if name.endswith(".json")}
    assert {"run/livered/TST/status.json", "run/livered/TST/latest.json"} <= set(documents)
    for name, data in documents.items():
        assert data.isascii(), name
        json.loads(data)


@pytest.mark.promise("S5")
def test_the_service_manager_is_told_nothing_but_livereds_own_words(outcome):
    assert "READY=1" in outcome.told
    assert [message for message in outcome.told if not SAID.fullmatch(message)] == []


@pytest.mark.promise("S14")
def test_what_livered_keeps_for_itself_is_its_owners_alone(outcome):
    own = [name for name in outcome.files if name.startswith(PRIVATE)]
    assert len(own) > 5
    for name in own:
        assert stat.S_IMODE((outcome.folder / name).stat().st_mode) & 0o077 == 0, name
        for folder in (outcome.folder / name).parents:
            if folder in (outcome.folder, outcome.folder / ".local", outcome.folder / ".local" / "state"):
                break
            assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0, folder
