"""Faults of the connection and of the server, in the middle of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from faults.cable import Cable
from faults.places import place
from faults.scenario import Scenario, cases
from faults.stage import RUN, Stage

SECTION = "Network and server"
BEFORE = 240
AFTER = 120
SILENCE = 0.6
AGAIN = "connects again, asks for what it has not seen, leaves out what comes twice"
Play = Callable[[Stage], None]


def impatient(stage: Stage) -> None:
    stage.config = stage.config.replace("[source]\n", f"[source]\nsilence_timeout = {SILENCE}\n")


def through(fault: str, connects: int) -> Play:
    """Play a run in the middle of which a fault of the simulator happens to the connection."""

    def play(stage: Stage) -> None:
        impatient(stage)
        line = stage.under_way(BEFORE)
        stage.fault_begins()
        line.fault(fault)
        line.play(AFTER)
        stage.until_recovered(BEFORE * line.events)
        line.end()
        stage.until_ended()
        # After the run silence is a lost connection, too.
        stage.until(lambda: stage.status()["source"]["connects"] >= connects)

    return play


def fault(name: str, what: str, livered: str, measure: str = "", connects: int = 2) -> Scenario:
    play = through(f"{name}@0{measure}", connects)
    return Scenario(f"connection-{name}", SECTION, what, f"simulator fault `{name}`", livered, play)


def is_waiting(stage: Stage) -> bool:
    return stage.status().get("source", {}).get("connection", "").startswith("waiting")


@contextlib.contextmanager
def wired(stage: Stage) -> Iterator[Cable]:
    """Put a cable between beamline and engine."""
    cable = Cable(stage.beamline.port)
    cable.plug()
    stage.where = cable.address
    try:
        yield cable
    finally:
        cable.cut()


def network_down(stage: Stage) -> None:
    with wired(stage) as cable:
        line = stage.under_way(BEFORE)
        for _ in range(3):
            cable.cut()
            line.play(AFTER)
            # It has tried in vain.
            stage.until(lambda: is_waiting(stage))
            stage.fault_begins()
            cable.plug()
            stage.until_recovered()
        line.end()
        stage.until_ended()


def network_swallows(stage: Stage) -> None:
    impatient(stage)
    with wired(stage) as cable:
        line = stage.under_way(BEFORE)
        stage.fault_begins()
        cable.swallow()
        line.play(AFTER)
        stage.until_recovered()
        line.end()
        stage.until_ended()


def run_ends_unseen(stage: Stage) -> None:
    """The run ends and the next one begins while the network is down."""
    with wired(stage) as cable:
        line = stage.under_way(BEFORE)
        cable.cut()
        line.play(AFTER)
        line.replace(RUN + 1)
        line.play(AFTER)
        stage.fault_begins()
        cable.plug()
        stage.until_ended()
        stage.judged = RUN + 1
        stage.until_recovered(0)
        line.end()
        stage.until_ended()
        assert stage.outcome().exact
        stage.judged = RUN


def server_forgets(stage: Stage) -> None:
    line = stage.under_way(BEFORE)
    stage.fault_begins()
    line.close()
    line.play(AFTER)
    line.forget()
    line.play(AFTER)
    stage.until_recovered()
    line.end()
    stage.until_ended()


def server_is_late(stage: Stage) -> None:
    """The engine is started before the server is there."""
    line = stage.beamline
    line.close()
    stage.start()
    stage.until(lambda: is_waiting(stage))
    stage.fault_begins()
    line.forget()
    line.begin(RUN)
    line.play(BEFORE)
    stage.until_recovered(0)
    line.end()
    stage.until_ended()


def name_is_gone(stage: Stage) -> None:
    """The server's name cannot be resolved, before the first connection and after a lost one."""
    hosts, resolver = stage.folder / "hosts", stage.folder / "resolv.conf"
    hosts.write_text("127.0.0.1 localhost\n")
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    mounts = (f"mount --bind {hosts} /etc/hosts", f"mount --bind {resolver} /etc/resolv.conf")

    def resolves(*, yes: bool) -> None:
        hosts.write_text("127.0.0.1 localhost\n" + "127.0.0.1 sms.example.org\n" * yes)

    with place(*mounts) as here, wired(stage) as cable:
        stage.prefix = here.prefix(stage.folder)
        stage.where = f"sms.example.org:{cable.port}"
        stage.start()
        line = stage.beamline
        line.begin(RUN)
        line.play(BEFORE)
        stage.until(lambda: "sms.example.org" in stage.status().get("source", {}).get("problem", ""))
        assert cable.connections == 0
        resolves(yes=True)
        stage.until_reduced(BEFORE)
        resolves(yes=False)
        cable.cut()
        cable.plug()
        line.play(AFTER)
        stage.until(lambda: is_waiting(stage))
        assert cable.connections == 1
        stage.fault_begins()
        resolves(yes=True)
        stage.until_recovered()
        line.end()
        stage.until_ended()


SCENARIOS = (
    fault("reset", "the connection is reset", AGAIN),
    fault("close", "the server closes the connection", AGAIN),
    fault("half-close", "the server ends its side only", AGAIN),
    fault("stall", "nothing comes, and the connection stays open", f"after `silence_timeout` {AGAIN}", ":3"),
    fault("trickle", "a few bytes at a time", "reads on", ":0.3", connects=1),
    fault("split", "packets in pieces of odd sizes", "reads on", ":60", connects=1),
    fault("truncate", "half a packet is missing", f"notices what cannot be read, {AGAIN}"),
    fault("oversize", "a header announces 4 GiB", f"does not wait for them, {AGAIN}"),
    fault("garbage", "random bytes between two packets", f"notices what cannot be read, {AGAIN}"),
    Scenario(
        "network-down",
        SECTION,
        "the network is down, three times",
        "a cable between server and livered is cut while pulses are recorded",
        f"says that it is not connected, {AGAIN}",
        network_down,
    ),
    Scenario(
        "network-swallows",
        SECTION,
        "the network swallows everything and tells nobody",
        "what is open lets nothing through",
        f"after `silence_timeout` {AGAIN}",
        network_swallows,
    ),
    Scenario(
        "run-ends-unseen",
        SECTION,
        "the run ends and the next begins while the network is down",
        "the cable is cut over the change of runs; the server replays the current run only",
        "ends the run and says what is missing; the next run is complete",
        run_ends_unseen,
        exact=False,
        said="The end of the run was not seen",
    ),
    Scenario(
        "server-forgets",
        SECTION,
        "the server is restarted without its history",
        "server and history are gone while pulses are recorded; it comes back with what comes from then on",
        "goes on with the run and says that pulses are missing",
        server_forgets,
        exact=False,
        said="could not replay",
    ),
    Scenario(
        "server-is-late",
        SECTION,
        "the server is not there when livered starts",
        "nobody listens at the address",
        "waits for it, trying again",
        server_is_late,
    ),
    Scenario(
        "dns-gone",
        SECTION,
        "the server's name cannot be resolved",
        "`/etc/hosts` and DNS of the process know no such name, at the start and again after a lost connection",
        "says so, tries again, resolves anew each time",
        name_is_gone,
    ),
)


@pytest.mark.parametrize("scenario", cases(SCENARIOS))
def test_fault(scenario: Scenario, act):
    act(scenario)
