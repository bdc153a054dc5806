from __future__ import annotations

import os
import socket
import uuid

import pytest

from livered_core.service.notify import Notifier


@pytest.fixture(params=["file", "abstract"])
def manager(request, tmp_path):
    """A socket as systemd has it, and the address that it would tell."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        if request.param == "file":
            address = str(tmp_path / "notify")
            listening.bind(address)
        else:
            address = f"@livered-test-{uuid.uuid4()}"
            listening.bind("\0" + address[1:])
        listening.setblocking(False)
        yield listening, address


def heard(listening) -> list[str]:
    said = []
    while True:
        try:
            said.append(listening.recv(5000).decode())
        except BlockingIOError:
            return said


def test_it_says_once_that_it_has_started_and_lives_as_long_as_the_work_goes_on(manager):
    listening, address = manager
    notifier = Notifier.of(
        {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "8000000", "WATCHDOG_PID": str(os.getpid())}
    )

    notifier.alive(100.0, 5)
    assert heard(listening) == ["READY=1", "WATCHDOG=1"]
    notifier.alive(101.9, 9)
    assert heard(listening) == [], "not more often than is needed"
    notifier.alive(102.0, 9)
    assert heard(listening) == ["WATCHDOG=1"]
    for second in range(103, 200):
        notifier.alive(float(second), 9)
    assert heard(listening) == [], "nothing turns any more"
    notifier.alive(200.0, 10)
    assert heard(listening) == ["WATCHDOG=1"]


def test_without_a_watchdog_or_with_that_of_another_process_there_is_no_sign_of_life(manager):
    listening, address = manager
    for more in ({}, {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}):
        Notifier.of({"NOTIFY_SOCKET": address, **more}).alive(100.0, 1)
        assert heard(listening) == ["READY=1"]


def test_what_it_does_is_said_when_it_changes_and_not_too_often(manager):
    listening, address = manager
    notifier = Notifier.of({"NOTIFY_SOCKET": address})
    notifier.status(100.0, "run 7: live")
    assert heard(listening) == ["STATUS=run 7: live"]
    notifier.status(104.9, "run 8: live")
    assert heard(listening) == [], "not yet"
    notifier.status(105.0, "run 8: live")
    notifier.status(200.0, "run 8: live")
    assert heard(listening) == ["STATUS=run 8: live"], "only when it has changed"
    notifier.status(106.0, "run 8: stopping", at_once=True)
    notifier.stopping()
    notifier.stopping()
    assert heard(listening) == ["STATUS=run 8: stopping", "STOPPING=1"]


def test_what_it_says_is_one_short_line(manager):
    listening, address = manager
    Notifier.of({"NOTIFY_SOCKET": address}).last_words("title\nREADY=1\x1b \udc80" + "a" * 1000)
    (said,) = heard(listening)
    assert "\n" not in said
    assert "\x1b" not in said
    assert len(said) == len("STATUS=") + 500
    assert said.endswith("...")


def test_without_a_manager_nothing_happens(tmp_path):
    Notifier.of({}).alive(1.0, 1)
    Notifier.of({"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "1000000"}).alive(1.0, 1)
