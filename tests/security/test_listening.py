"""What listens on the network while livered runs: nothing that another machine can reach, unless it is asked for."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest

from livered_support import WAIT, private_environment, started
from waiting import until

LOOPBACK = {"0100007F", "00000000000000000000000001000000"}
"""127.0.0.1 and ::1 as the kernel writes them."""
LISTENS = "0A"


def children(pid: int) -> list[int]:
    found = []
    # A process may end while it is looked at.
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found + [below for child in found for below in children(child)]


def listening(pids: list[int]) -> list[str]:
    """Give the addresses, as the kernel writes them, at which some processes listen."""
    inodes = set()
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(FileNotFoundError):
                    found = re.fullmatch(r"socket:\[(\d+)\]", str(descriptor.readlink()))
                    inodes |= {found[1]} if found else set()
    return [
        fields[1].rpartition(":")[0]
        for table in ("tcp", "tcp6", "udp", "udp6")
        for fields in map(str.split, Path(f"/proc/net/{table}").read_text().splitlines()[1:])
        if fields[9] in inodes and (fields[3] == LISTENS or table.startswith("udp"))
    ]


@pytest.mark.promise("S15")
def test_the_simulated_beamline_and_the_dashboard_are_for_this_machine_alone(tmp_path):
    pytest.importorskip("livered_nom", reason="needs an instrument: the NOM plugin")
    pytest.importorskip("NCrystal", reason="needs the simulated beamline")
    environment = private_environment(tmp_path, LIVERED_DASHBOARD__PORT="0")
    command = ("run", "-i", "NOM", "--simulate", "--dashboard", "--plain")
    with started(tmp_path, *command, environment=environment) as process:
        try:
            for line in process.stdout:
                if "livered's dashboard is at" in line:
                    break
            until(lambda: len(listening([process.pid, *children(process.pid)])) >= 2)
            addresses = listening([process.pid, *children(process.pid)])
        finally:
            process.terminate()
        process.communicate(timeout=WAIT)
    assert len(addresses) == 2
    assert set(addresses) <= LOOPBACK


@pytest.mark.promise("S15")
def test_a_simulated_beamline_that_is_started_by_itself_is_for_this_machine_alone(tmp_path):
    pytest.importorskip("livered_nom", reason="needs an instrument: the NOM plugin")
    pytest.importorskip("NCrystal", reason="needs the simulated beamline")
    with started(tmp_path, "simulate", "-i", "NOM", "--port", 0) as process:
        try:
            until(lambda: listening([process.pid]))
            addresses = listening([process.pid])
        finally:
            process.terminate()
        process.communicate(timeout=WAIT)
    assert len(addresses) == 1
    assert set(addresses) <= LOOPBACK
