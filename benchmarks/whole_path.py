"""Measure the whole path, from bytes on a socket to the final published curves of a run.

    python benchmarks/whole_path.py [--calibration FILE] [--seconds S] [--json FILE] [--quick]

livered runs in a process of its own, as at a beamline (``livered run``), and reduces whole runs at NOMAD's design rate of
events a pulse, each pulse with fresh times, from a beamline on the same two cores: one that only sends what is ready in
memory, and the project's simulated beamline, which keeps the history of its run as well. Two plugins: six banks focused
with the exact calibration and nothing else, and NOM with every option on (banks in d and Q, the view, pixels, vetoed
pulses and the prompt pulse left out, vanadium, container, S(Q), G(r)), with updates every two seconds.

The time is from the beginning of the run to its final result, with all that has to be prepared for its first chunk; the
start of the process is not in it (see `start_up`). Beside it, in the same run: the same bytes from the same sender, received
and thrown away. A run of which one event is missing in the final result counts as failed.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

import attrs
from beamlines import events_of_run
from rows import Row, arguments, finish
from sessions import Bench, Watched, beamline, bench, cpu_of, livered, run_arguments, simulator

AIM = "above 150 million events/s"
AIMED = 150.0


@attrs.frozen
class Run:
    """A run that was reduced.

    Attributes
    ----------
    rate, later
        Million events/s: of the whole run, and after its first result.
    livered, kernel, reader, beamline
        Nanoseconds of processor time for an event: of livered, what of that was in the system's kernel and what in the
        thread that reads the stream, and of the beamline.
    faults
        Pages that livered was given for a million events.
    preparing, seconds
        Of the first chunk, and of the whole run.
    n_events, sent
        In the final result, every one accounted for, and sent.
    """

    rate: float
    later: float
    livered: float
    kernel: float
    reader: float
    beamline: float
    faults: float
    preparing: float
    seconds: float
    n_events: int
    sent: int


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--calibration", help="a calibration file; a made-up one of NOMAD's size without")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each run")
    options = parser.parse_args()
    finish(measure(options), options)


def measure(options: argparse.Namespace) -> list[Row]:
    """Measure both plugins from both beamlines."""
    seconds = 1.0 if options.quick else getattr(options, "seconds", 6.0)
    rows: list[Row] = []
    with bench(options) as where:
        for name, banks, what in (
            ("banks", True, "six banks"),
            ("nom", False, "NOM with every option"),
        ):
            prepared, plain = from_sender(where, seconds, banks=banks)
            rows += rows_of(f"{name}.sender", f"{what}, from a beamline that only sends", prepared, plain)
            simulated = from_simulator(where, seconds * prepared.rate * 1e6, banks=banks)
            rows += rows_of(f"{name}.simulator", f"{what}, from the simulated beamline", simulated, plain)
    return rows


def rows_of(key: str, what: str, run: Run, plain: float) -> list[Row]:
    """Describe a run: how fast it was, and what it cost."""
    if run.n_events != run.sent:
        raise RuntimeError(f"{what}: {run.sent} events were sent and {run.n_events} are in the final result.")
    later = f"; {run.later:.0f} million events/s after the first result" if run.later else ""
    cores, both = os.cpu_count() or 1, run.livered + run.beamline
    return [
        Row(
            key=f"whole_path.{key}",
            what=f"socket to final curves: {what}",
            value=run.rate,
            unit="million events/s",
            beside=f"the same bytes received and thrown away ({plain:.0f} million events/s)",
            ratio=run.rate / plain,
            note=f"{run.seconds:.1f} s, of which the first chunk took {run.preparing:.1f} s{later}",
            aim=AIM,
            met=run.rate > AIMED,
        ),
        Row(
            key=f"whole_path.{key}.processors",
            what="the same: processor time of an event, livered and the beamline",
            value=both,
            unit="ns",
            better="lower",
            note=f"livered {run.livered:.1f} ns, {run.reader:.1f} of it reading the stream, {run.kernel:.1f} in the "
            f"system's kernel, {run.faults:.0f} page faults for a million events; beamline {run.beamline:.1f} ns; "
            f"{cores} processors allow {cores / both * 1e3:.0f} million events/s at most",
        ),
    ]


def from_sender(where: Bench, seconds: float, *, banks: bool) -> tuple[Run, float]:
    """Reduce a run from a beamline that only sends; gives it, and the rate at which its bytes are only received."""
    instrument = "BANKS" if banks else "NOM"
    with beamline("sender", where.played(), instrument) as sender:
        sender.tell(seconds=seconds)
        with livered(where, *run_arguments(config(where, banks=banks), sender.port, banks=banks)) as session:
            session.wait()
            sent = sender.answer()
            run = reduced(session, sent["events"], sent["cpu"])
        took = min(sender.thrown_away(sent["pulses"], sent["bytes"]) for _ in range(3))
    return run, sent["events"] / took / 1e6


def from_simulator(where: Bench, n_events: float, *, banks: bool) -> Run:
    """Reduce a run of about so many events from the simulated beamline."""
    instrument = "BANKS" if banks else "NOM"
    played = where.played()
    played = attrs.evolve(played, speed=0.0, run_length=n_events / played.rate)
    sent, _ = events_of_run(played, instrument)
    with simulator(played, instrument) as process:
        before = cpu_of(process.pid)
        with livered(
            where, *run_arguments(config(where, banks=banks), process.address, banks=banks)
        ) as session:
            session.wait_for(lambda line: line["is"] == "published" and line["final"])
            cpu = cpu_of(process.pid) - before
            session.wait()
            return reduced(session, sent, cpu)


def config(where: Bench, *, banks: bool) -> Any:
    return where.config("banks" if banks else "nom", banks=banks)


def reduced(session: Watched, sent: int, beamline_cpu: float) -> Run:
    """Read from what a session said how fast its run was."""
    began = session.wait_for(lambda line: line["is"] == "call" and line["hook"] == "run_started")
    first = session.wait_for(lambda line: line["is"] == "call" and line["hook"] == "process_chunk")
    final = session.wait_for(lambda line: line["is"] == "published" and line["final"])
    start = began["began"]
    took = final["at"] - start
    shown = session.all("published")[0]
    later = rate_between(shown, final)
    account = final["account"]
    others = ("n_binned", "n_out_of_range", "n_masked", "n_unknown", "n_filtered")
    accounted = sum(account[name] for name in others)
    return Run(
        rate=sent / took / 1e6,
        livered=(final["cpu"] - began["cpu"]) / sent * 1e9,
        kernel=(final["system"] - began["system"]) / sent * 1e9,
        reader=final["threads"].get("livered-reader", 0.0) / sent * 1e9,
        beamline=beamline_cpu / sent * 1e9,
        faults=(final["faults"] - began["faults"]) / sent * 1e6,
        preparing=first["began"] + first["seconds"] - start,
        later=later,
        seconds=took,
        n_events=min(final["n_events"], accounted),
        sent=sent,
    )


def rate_between(first: dict[str, Any], last: dict[str, Any]) -> float:
    """Return million events/s between two results; 0 where they are one."""
    seconds = float(last["at"] - first["at"])
    return float(last["n_events"] - first["n_events"]) / seconds / 1e6 if seconds else 0.0


if __name__ == "__main__":
    main()
