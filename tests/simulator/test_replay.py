from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from adara_support import SECOND, START, banked, end_run, geometry, new_run, pulse_time, run_info, run_status
from livered_core.adara import (
    Device,
    DeviceDescriptor,
    Framer,
    Heartbeat,
    ProcessVariable,
    RunStatus,
    RunStatusCode,
    VariableDouble,
    decode,
    device_descriptor_xml,
    encode,
)
from livered_core.chunking.intake import Intake
from livered_core.chunking.items import DefinitionSeen, LogSample, Pulse, RunBegan, RunStopped
from livered_core.chunking.stream_state import StreamState
from livered_core.errors import ConfigError
from livered_core.recording import FileRecording, open_recording
from livered_core.simulator.emission import Emission
from livered_core.simulator.replay import first_and_last_ns, replayed
from livered_core.simulator.storage import Start, Storage
from recording_support import run_packets, to_bytes

DEVICE = DeviceDescriptor(
    time_ns=START - 10**15,
    device_id=1,
    xml=device_descriptor_xml(Device("Furnace", {2: ProcessVariable("Temp", "double", "K")})),
)


def value(kelvin: float, index: int) -> VariableDouble:
    return VariableDouble(time_ns=pulse_time(index), device_id=1, variable_id=2, value=kelvin)


FIRST = [new_run(5), run_info(5), geometry(), DEVICE, value(300.0, -1000)]
TWO_RUNS = [
    *FIRST,
    *(banked(i, pixels=[i]) for i in range(10)),
    value(310.0, 9),
    *(banked(i, pixels=[i]) for i in range(10, 20)),
    end_run(5),
    banked(20),
    banked(21),
    new_run(6),
    run_info(6, "second"),
    *(banked(i, pixels=[i]) for i in range(30, 40)),
    end_run(6),
]


def played(recording, shift_ns: int = 0) -> list[Emission]:
    return list(itertools.takewhile(lambda emission: not emission.idle, replayed(recording, shift_ns)))


def of(folder: Path, *connections: bytes) -> FileRecording:
    path = folder / "r.adara"
    path.write_bytes(b"".join(connections))
    begins = [sum(map(len, connections[:i])) for i in range(len(connections))]
    return FileRecording(str(path), (path,), tuple(begins))


def meaning(data: bytes) -> list:
    intake = Intake(StreamState("TST"))
    intake.connection_opened()
    intake.writable()[: len(data)] = data
    return [*intake.take(len(data)), *intake.finish()]


def pulses(items: list) -> list[int]:
    return [item.time_ns for item in items if isinstance(item, Pulse)]


def test_the_bytes_are_those_of_the_recording_in_emissions_of_a_pulse(tmp_path: Path):
    data = to_bytes(TWO_RUNS)
    emissions = played(of(tmp_path, data))
    assert b"".join(emission.data for emission in emissions) == data
    times = [emission.time_ns for emission in emissions]
    assert times == sorted(times)
    assert set(times) >= {pulse_time(i) for i in [*range(20), *range(30, 40)]}


def test_a_recording_in_many_files_is_referred_to_where_it_is(tmp_path: Path):
    data = to_bytes(TWO_RUNS)
    paths = []
    for index, begin in enumerate(range(0, len(data), 77)):
        paths.append(tmp_path / f"{index}.adara")
        paths[-1].write_bytes(data[begin : begin + 77])
    recording = FileRecording("many", tuple(paths))
    emissions = played(recording)
    assert b"".join(emission.data for emission in emissions) == data
    assert not [part for emission in emissions for part in emission.parts if isinstance(part, bytes)]


def test_who_begins_with_an_era_gets_what_was_said_before(tmp_path: Path):
    storage = Storage()
    emissions = played(of(tmp_path, to_bytes(TWO_RUNS)))
    for emission in emissions:
        storage.write(emission)
    reader = storage.read_from(Start.ERA)
    storage.close()
    items = meaning(b"".join(iter(reader.read, b"")))
    (began,) = [item for item in items if isinstance(item, RunBegan)]
    assert (began.run.number, began.run.title, began.missing) == (6, "second", "")
    assert pulses(items) == [pulse_time(i) for i in range(30, 40)]
    assert [item.value for item in items if isinstance(item, LogSample)] == [310.0]
    assert [item.name for item in items if isinstance(item, LogSample)] == ["Temp"]
    assert len([item for item in items if isinstance(item, DefinitionSeen)]) == 1


def test_who_joins_in_mid_run_gets_the_state(tmp_path: Path):
    storage = Storage()
    emissions = played(of(tmp_path, to_bytes(TWO_RUNS)))
    middle = next(i for i, emission in enumerate(emissions) if emission.time_ns == pulse_time(15))
    for emission in emissions[:middle]:
        storage.write(emission)
    reader = storage.read_from(Start.NOW)
    for emission in emissions[middle:]:
        storage.write(emission)
    storage.close()
    items = meaning(b"".join(iter(reader.read, b"")))
    first, second = [item for item in items if isinstance(item, RunBegan)]
    assert (first.run.number, first.run.start_ns, first.run.title) == (5, START, "diamond")
    assert first.missing
    assert second.run.number == 6
    assert pulses(items)[:5] == [pulse_time(i) for i in range(15, 20)]


def test_what_the_server_had_sent_again_is_left_out(tmp_path: Path):
    packets = run_packets(5)
    again = [new_run(5), run_info(5), geometry(), *packets[8:]]
    recording = of(tmp_path, to_bytes(packets[:15])[:-10], to_bytes(again))
    items = meaning(b"".join(emission.data for emission in played(recording)))
    assert pulses(items) == [pulse_time(i) for i in range(20)]
    assert len([item for item in items if isinstance(item, RunBegan)]) == 1
    assert len([item for item in items if isinstance(item, RunStopped)]) == 1


def test_a_run_that_began_while_the_connection_was_lost_is_kept(tmp_path: Path):
    recording = of(tmp_path, to_bytes(run_packets(5)[:15]), to_bytes(run_packets(6, first=100)))
    items = meaning(b"".join(emission.data for emission in played(recording)))
    assert [item.run.number for item in items if isinstance(item, RunBegan)] == [5, 6]


def test_damage_is_left_out(tmp_path: Path):
    packets = run_packets(5)
    recording = of(tmp_path, to_bytes(packets[:9]) + b"\xee" * 31 + to_bytes(packets[9:]))
    assert b"".join(emission.data for emission in played(recording)) == to_bytes(packets)


def test_times_are_moved_everywhere_and_nothing_else_is(tmp_path: Path):
    shift = 7_000 * SECOND
    emissions = played(of(tmp_path, to_bytes(TWO_RUNS)), shift)
    moved = [decode(raw) for raw in Framer().feed(b"".join(emission.data for emission in emissions))]
    kept = [decode(raw) for raw in Framer().feed(to_bytes(TWO_RUNS))]
    assert len(moved) == len(kept)
    for new, old in zip(moved, kept, strict=True):
        assert type(new) is type(old)
        assert new.time_ns == old.time_ns + shift
        if isinstance(new, RunStatus):
            assert new.run_start_ns == old.run_start_ns + shift
            assert (new.run_number, new.status) == (old.run_number, old.status)
    items = meaning(b"".join(emission.data for emission in emissions))
    assert pulses(items)[0] == pulse_time(0) + shift
    (sample, *_) = [item for item in items if isinstance(item, LogSample)]
    assert sample.time_ns == pulse_time(-1000) + shift


def test_files_of_a_run_are_one_era(tmp_path: Path):
    eof, bof = run_status(RunStatusCode.RUN_EOF, 5), run_status(RunStatusCode.RUN_BOF, 5)
    packets = [*FIRST, banked(0), eof, bof, *FIRST[1:], banked(1), end_run(5)]
    emissions = played(of(tmp_path, to_bytes(packets)))
    assert [emission.begins_era for emission in emissions] == [True] + [False] * (len(emissions) - 1)


def test_afterwards_come_heartbeats(tmp_path: Path):
    stream = replayed(of(tmp_path, to_bytes(run_packets(5))))
    idle = list(itertools.islice(itertools.dropwhile(lambda emission: not emission.idle, stream), 3))
    beats = [decode(raw) for emission in idle for raw in Framer().feed(emission.data)]
    assert beats == [Heartbeat(time_ns=pulse_time(19) + k * SECOND) for k in (1, 2, 3)]


def test_a_recording_without_pulses_is_refused(tmp_path: Path):
    path = tmp_path / "x.adara"
    path.write_bytes(encode(geometry()))
    with pytest.raises(ConfigError, match=r"x\.adara holds no pulses: there is nothing to replay"):
        first_and_last_ns(open_recording(path))
    path.write_bytes(to_bytes(run_packets(5)))
    assert first_and_last_ns(open_recording(path)) == (pulse_time(0), pulse_time(19))
