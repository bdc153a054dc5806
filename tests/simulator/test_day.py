"""What happens in a day at the beamline, as bytes and as the client's reader understands them."""

from __future__ import annotations

import itertools
from pathlib import Path

import attrs
import numpy as np
import pytest

from livered_core.adara import (
    Annotation,
    AnnotationMarker,
    BankedEvents,
    BeamMonitorConfig,
    BeamMonitorEvents,
    DetectorBankSets,
    DeviceDescriptor,
    Geometry,
    PixelMappingAlt,
    PulseFlag,
    Rtdl,
    RunStatus,
    RunStatusCode,
    Sync,
    VariableDouble,
    VariableStatus,
    read_device,
)
from livered_core.chunking.intake import Intake
from livered_core.chunking.items import LogSample, Pulse, Remark, RunBegan, RunStopped
from livered_core.chunking.selection import PulseSelection
from livered_core.chunking.stream_state import StreamState
from livered_core.config.simulate import SimulateConfig
from livered_core.simulator.beamline import Beamline, build_beamline
from livered_core.simulator.emission import Emission
from livered_core.simulator.storage import Start, Storage
from livered_core.simulator.stream import emissions
from simulator_support import packets_of

SECOND = 10**9
START = 1_800_000_000 * SECOND


@pytest.fixture(scope="module")
def beamline(config: SimulateConfig) -> Beamline:
    return build_beamline(config, "TNY")


@pytest.fixture(scope="module")
def play(beamline: Beamline):
    """Everything of some runs, by configuration."""

    def make(**changes) -> list[Emission]:
        changed = attrs.evolve(beamline, config=attrs.evolve(beamline.config, **changes))
        if "ramp" in changes:
            environment = attrs.evolve(beamline.environment, ramp=changes["ramp"])
            changed = attrs.evolve(changed, environment=environment)
        return list(itertools.takewhile(lambda each: not each.idle, emissions(changed, START)))

    return make


def data_of(played: list[Emission]) -> bytes:
    return b"".join(emission.data for emission in played)


def of(kind: type, played: list[Emission]) -> list:
    return [packet for packet in packets_of(data_of(played)) if isinstance(packet, kind)]


def said(played: list[Emission]) -> list[Annotation]:
    """What is said of runs, without what prologues say again."""
    return [each for each in of(Annotation, played) if not each.comment.startswith("[NEW RUN FILE")]


def understood(data: bytes, **selection) -> tuple[list, StreamState]:
    state = StreamState("TNY", PulseSelection(**selection))
    intake = Intake(state)
    intake.connection_opened()
    items = []
    for begin in range(0, len(data), 1 << 20):
        piece = data[begin : begin + (1 << 20)]
        room = intake.writable()
        room[: len(piece)] = piece
        items += [_held(item) for item in intake.take(len(piece))]
    return [*items, *map(_held, intake.finish())], state


def _held(item):
    """Keep what a pulse holds, which the blocks may use again."""
    if isinstance(item, Pulse):
        return attrs.evolve(item, pixel_id=item.pixel_id.copy(), tof=item.tof.copy(), block=None)
    return item


def pulses(items: list) -> list[Pulse]:
    return [item for item in items if isinstance(item, Pulse)]


def same_pulses(some: list[Pulse], others: list[Pulse]) -> bool:
    return [(each.time_ns, each.tof.tolist(), each.pixel_id.tolist()) for each in some] == [
        (each.time_ns, each.tof.tolist(), each.pixel_id.tolist()) for each in others
    ]


# Pauses.


def test_pauses_are_announced_and_their_pulses_come_marked(play):
    played = play(pauses=("0.5-1.0", "1.5-9"))
    marks = [(each.marker, each.time_ns) for each in said(played) if each.time_ns <= START + 2 * SECOND]
    assert marks == [
        (AnnotationMarker.PAUSE, START + SECOND // 2),
        (AnnotationMarker.RESUME, START + SECOND),
        (AnnotationMarker.PAUSE, START + 3 * SECOND // 2),
        # A run that is paused goes on before it ends.
        (AnnotationMarker.RESUME, START + 2 * SECOND),
    ]
    items, state = understood(data_of(played))
    assert (state.counts.paused_pulses, state.counts.reduced_pulses) == (2 * 60, 2 * 60)
    offsets = {(pulse.time_ns - START) % (5 * SECOND // 2) // (SECOND // 2) for pulse in pulses(items)}
    assert offsets == {0, 2}
    items, state = understood(data_of(played), keep_paused=True)
    assert (state.counts.paused_pulses, state.counts.reduced_pulses) == (0, 240)


def test_a_client_that_asks_for_it_gets_no_data_of_pauses_and_is_told_of_them(play):
    storage = Storage()
    reader = storage.read_from(Start.ERA, leave_out_paused=True)
    for emission in play(pauses=("0.5-1.0", "1.5-9"), n_runs=1):
        storage.write(emission)
    storage.close()
    data = b"".join(iter(lambda: reader.read(1000), b""))
    found = packets_of(data)
    assert sum(isinstance(packet, BankedEvents) for packet in found) == 60
    assert [packet.marker for packet in found if isinstance(packet, Annotation)] == [
        AnnotationMarker.PAUSE,
        AnnotationMarker.RESUME,
        AnnotationMarker.PAUSE,
        AnnotationMarker.RESUME,
    ]
    codes = RunStatusCode
    status = [(each.status, each.paused) for each in found if isinstance(each, RunStatus)]
    assert status == [
        (codes.NEW_RUN, False),
        (codes.RUN_EOF, False),
        (codes.RUN_BOF, False),
        (codes.RUN_EOF, False),
        (codes.RUN_BOF, False),
        (codes.END_RUN, False),
        (codes.NO_RUN, False),
    ]


def test_a_pause_has_files_of_its_own_numbered_as_the_server_does(play):
    played = play(pauses=("0.5-1.0",), n_runs=1, faults=("run-eof@0.7",))
    codes = RunStatusCode
    status = [
        (each.status, each.paused, each.file_number >> 12, each.file_number & 0xFFF, each.pause_file_number)
        for each in of(RunStatus, played)
        if each.run_number
    ]
    assert status == [
        (codes.NEW_RUN, False, 1, 1, 0),
        (codes.RUN_EOF, False, 1, 1, 0),
        (codes.RUN_BOF, True, 2, 1, 1),
        (codes.RUN_EOF, True, 2, 1, 1),
        (codes.RUN_BOF, True, 2, 1, 2),
        (codes.RUN_EOF, True, 2, 1, 2),
        (codes.RUN_BOF, False, 3, 1, 0),
        (codes.END_RUN, False, 3, 1, 0),
    ]


def test_who_joins_in_a_pause_is_told_so(play):
    storage = Storage()
    for emission in itertools.takewhile(
        lambda each: each.time_ns < START + 3 * SECOND // 4, play(pauses=("0.5-1",))
    ):
        storage.write(emission)
    storage.close()
    data = storage.read_from(Start.NOW).read()
    sync, status, *rest = packets_of(data)
    assert isinstance(sync, Sync)
    # As the facility's server has it: the annotation is the only sign of a pause.
    assert (status.status, status.paused, status.run_number) == (RunStatusCode.STATE, False, 41)
    assert [each.marker for each in rest if isinstance(each, Annotation)] == [AnnotationMarker.PAUSE]
    _, state = understood(data)
    assert state.paused


# Beam, scans, temperature, flags.


def test_without_beam_pulses_come_empty_and_the_accelerator_goes_on_counting(play):
    played = play(no_beam=("0.5-1.5",), n_runs=1)
    banked = of(BankedEvents, played)
    dark = [packet for packet in banked if packet.proton_charge_pc == 0]
    assert [packet.time_ns for packet in dark] == [packet.time_ns for packet in banked[30:90]]
    assert sum(packet.n_events for packet in dark) == 0
    assert all(not packet.flags & PulseFlag.GOT_NEUTRONS for packet in dark)
    assert sum(len(packet.tof) for packet in of(BeamMonitorEvents, played)[30:90]) == 0
    assert len(of(Rtdl, played)) == len(banked) == 120


def test_scans_are_numbered_and_warmer(play):
    played = play(scans=("0-1", "1-1.5"), n_runs=1)
    marks = [(each.marker, each.scan_index, (each.time_ns - START) / SECOND) for each in said(played)]
    assert marks == [
        (AnnotationMarker.SCAN_START, 1, 0.0),
        (AnnotationMarker.SCAN_STOP, 1, 1.0),
        (AnnotationMarker.SCAN_START, 2, 1.0),
        (AnnotationMarker.SCAN_STOP, 2, 1.5),
    ]
    kelvin = [
        packet.value
        for packet in of(VariableDouble, played)
        if (packet.device_id, packet.variable_id) == (1, 1)
    ]
    # The last is that of the prologue after the run.
    assert kelvin == pytest.approx([303.15, 313.15, 293.15], abs=0.1)


def test_a_ramp_drifts(play):
    kelvin = [
        packet.value
        for packet in of(VariableDouble, play(ramp=600.0, n_runs=1, run_length=5.0))
        if (packet.device_id, packet.variable_id) == (1, 1)
    ]
    assert np.diff(kelvin) == pytest.approx(10.0, abs=0.1)


def test_flags_are_drawn_and_change_nothing_else(play):
    flagged, plain = play(vetoed=0.2, partial=0.1, n_runs=1), play(n_runs=1)
    banked = of(BankedEvents, flagged)
    vetoed = [packet for packet in banked if packet.flags & PulseFlag.PULSE_VETO]
    assert 12 <= len(vetoed) <= 36
    assert {packet.veto for packet in vetoed} == {1}
    assert {packet.veto for packet in banked if not packet.flags & PulseFlag.PULSE_VETO} == {0}
    assert 3 <= sum(bool(packet.flags & PulseFlag.PARTIAL_DATA) for packet in banked) <= 24
    for one, other in zip(banked, of(BankedEvents, plain), strict=True):
        assert attrs.evolve(one, flags=other.flags, veto=0) == other
    _, state = understood(data_of(flagged), leave_out_vetoed=True, leave_out_partial=True)
    assert state.counts.vetoed_pulses == len(vetoed)
    assert state.counts.reduced_pulses + state.counts.vetoed_pulses + state.counts.partial_pulses == 120


# Files.


def test_files_roll_with_the_prologue_repeated_and_nothing_is_lost(play):
    plain, rolled = play(n_runs=1), play(n_runs=1, roll_mb=0.03)
    status = [(packet.status, packet.file_number & 0xFFF) for packet in of(RunStatus, rolled)]
    n_files = max(number for _, number in status)
    assert n_files > 3
    assert status == [
        (RunStatusCode.NEW_RUN, 1),
        *itertools.chain.from_iterable(
            ((RunStatusCode.RUN_EOF, number), (RunStatusCode.RUN_BOF, number + 1))
            for number in range(1, n_files)
        ),
        (RunStatusCode.END_RUN, n_files),
        (RunStatusCode.NO_RUN, 0),
    ]
    for emission in rolled:
        if emission.begins_file:
            found = packets_of(emission.data)
            assert [type(packet) for packet in found[:2]] == [Sync, RunStatus]
            assert {Geometry, PixelMappingAlt, BeamMonitorConfig, DetectorBankSets, DeviceDescriptor} <= set(
                map(type, found)
            )
    items, _ = understood(data_of(rolled))
    assert same_pulses(pulses(items), pulses(understood(data_of(plain))[0]))
    assert [type(item) for item in items if isinstance(item, RunBegan | RunStopped)] == [RunBegan, RunStopped]


def test_a_time_is_replayed_from_the_file_before_it(play):
    played = play(n_runs=1, roll_mb=0.03)
    files = [emission for emission in played if emission.begins_file and not emission.begins_era]
    storage = Storage()
    for emission in played:
        if emission.begins_era and emission is not played[0]:
            break
        storage.write(emission)
    storage.close()
    (first, second, *_) = packets_of(storage.read_from(files[1].time_ns + 1).read())
    assert isinstance(first, Sync)
    assert (second.status, second.file_number & 0xFFF, second.time_ns) == (
        RunStatusCode.RUN_BOF,
        3,
        files[1].time_ns,
    )


# The prologue.


def test_the_pixel_map_and_the_bank_sets_are_those_of_the_events(play, beamline: Beamline):
    played = play(n_runs=1)
    pixel_map = of(PixelMappingAlt, played)[0]
    bank_of = dict(zip(pixel_map.logical_id.tolist(), pixel_map.bank_id.tolist(), strict=True))
    assert len(bank_of) == 20
    for packet in of(BankedEvents, played):
        banks = np.repeat(packet.bank_id, np.diff(packet.bank_offset))
        assert [bank_of[pixel] for pixel in packet.pixel_id.tolist()] == banks.tolist()
    (banks,) = of(DetectorBankSets, played)[0].sets
    assert banks.bank_ids == (1, 2, 3, 4, 5)
    monitors = of(BeamMonitorConfig, played)[0].monitors
    assert [each.monitor_id for each in monitors] == beamline.monitors.monitor_id.tolist()


def test_every_log_that_the_instrument_definition_wants_has_a_value(config: SimulateConfig, tmp_path: Path):
    assert config.idf is not None
    parameter = '<parameter name="chopper-delay"><logfile id="{}" eq="1.0+value"/></parameter>'
    text = config.idf.read_text().replace(
        "</instrument>",
        f'<component-link name="bank1">{parameter.format("SampleX")}{parameter.format("arm:angle")}'
        f"{parameter.format('SampleX')}</component-link></instrument>",
    )
    idf = tmp_path / "logs.xml"
    idf.write_text(text)
    beamline = build_beamline(attrs.evolve(config, idf=idf), "TNY")
    prologues = [each.data for each in emissions_until_idle(beamline) if each.begins_era]
    assert len(prologues) == 4
    for data in prologues:
        devices = {
            p.device_id: read_device(p.xml) for p in packets_of(data) if isinstance(p, DeviceDescriptor)
        }
        names = [
            devices[p.device_id].variables[p.variable_id].name
            for p in packets_of(data)
            if isinstance(p, VariableDouble)
        ]
        assert names.count("SampleX") == names.count("arm:angle") == 1


def emissions_until_idle(beamline: Beamline) -> list[Emission]:
    """Everything up to and with the first idle emission."""
    stream = emissions(beamline, START)
    return [*itertools.takewhile(lambda each: not each.idle, stream)]


# Pulses that are sent again and again.


def test_recycled_pulses_have_times_ids_and_charges_of_their_own(play):
    played = play(recycle="always", rate=2e6, n_runs=1, run_length=9.0, no_beam=("1-1.5",), vetoed=0.1)
    banked, monitors = of(BankedEvents, played), of(BeamMonitorEvents, played)
    assert [packet.time_ns for packet in banked] == [START + k * SECOND // 60 for k in range(540)]
    assert [packet.time_ns for packet in monitors] == [packet.time_ns for packet in banked]
    assert len({packet.proton_charge_pc for packet in banked}) > 400
    assert [packet.proton_charge_pc for packet in monitors] == [packet.proton_charge_pc for packet in banked]
    assert [packet.flags for packet in monitors] == [packet.flags for packet in banked]
    assert [packet.cycle for packet in banked] == [k % 600 for k in range(540)]
    assert any(packet.flags & PulseFlag.PULSE_VETO and packet.veto for packet in banked)
    assert all((packet.n_events == 0) == (packet.proton_charge_pc == 0) for packet in banked)
    counts = [packet.n_events for packet in banked if packet.n_events]
    assert np.mean(counts) == pytest.approx(2e6 / 60, rel=0.01)
    # A bounded number was drawn: 64 MB.
    assert 100 < len(set(counts)) <= 252


def test_rates_that_cannot_be_drawn_are_recycled_and_others_are_not(play):
    def n_kept(played: list[Emission]) -> int:
        return sum(len(part) for each in played for part in each.parts if isinstance(part, bytes))

    fast = play(rate=25e6, n_runs=1, run_length=2.0)
    assert len(data_of(fast)) > 390_000_000
    assert n_kept(fast) < 1_000_000
    slow = play(n_runs=1)
    assert n_kept(slow) == len(data_of(slow))


# Faults of the stream.


def test_a_file_can_end_at_any_time(play):
    items, _ = understood(data_of(play(n_runs=1, faults=("run-eof@1",))))
    assert same_pulses(pulses(items), pulses(understood(data_of(play(n_runs=1)))[0]))
    played = play(faults=("run-eof@2.2",))
    # Between runs there is nothing to roll: it happens when the next run has begun.
    rolls = [packet.time_ns for packet in of(RunStatus, played) if packet.status is RunStatusCode.RUN_EOF]
    assert rolls == [START + 5 * SECOND // 2]


def test_a_repeated_new_run_begins_nothing(play):
    played = play(n_runs=1, faults=("repeat-new-run@1",))
    said = [packet.status for packet in of(RunStatus, played)]
    assert said[:2] == [RunStatusCode.NEW_RUN] * 2
    items, state = understood(data_of(played))
    assert [type(item) for item in items if isinstance(item, RunBegan | RunStopped)] == [RunBegan, RunStopped]
    assert state.counts.reduced_pulses == 120


def test_alarmed_values_are_values(play):
    played = play(n_runs=1, run_length=4.0, faults=("status-1@1:2",))
    alarmed = [
        (packet.time_ns - START) // SECOND
        for packet in of(VariableDouble, played)
        if packet.status is VariableStatus.READ_ERROR
    ]
    assert alarmed == [1, 2]
    items, state = understood(data_of(played))
    assert state.counts.reduced_pulses == 240
    kelvin = [item for item in items if isinstance(item, LogSample) and item.name == "SampleTemp"]
    assert {(sample.time_ns - START) // SECOND for sample in kelvin} == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("recycle", ["always", "never"])
def test_a_flood_of_bad_pixels_moves_events_and_loses_none(play, recycle: str):
    plain = play(n_runs=1, recycle=recycle)
    played = play(n_runs=1, recycle=recycle, faults=("bad-pixels@0.5:1",))
    before, after = of(BankedEvents, plain), of(BankedEvents, played)
    assert [packet.n_events for packet in before] == [packet.n_events for packet in after]
    assert [packet.proton_charge_pc for packet in before] == [packet.proton_charge_pc for packet in after]
    for one, other in zip(before[:30] + before[90:], after[:30] + after[90:], strict=True):
        assert one == other
    _, state = understood(data_of(played))
    n_flooded = sum(packet.n_events for packet in before[30:90])
    assert state.counts.error_pixel_events == pytest.approx(n_flooded / 6, rel=0.15)
    assert state.counts.unmapped_events == pytest.approx(n_flooded / 6, rel=0.15)
    nowhere = sum(int((packet.pixel_id > 19).sum()) for packet in after[30:90])
    assert nowhere == pytest.approx(n_flooded / 6, rel=0.15)
    flags = PulseFlag.ERROR_PIXELS | PulseFlag.MAPPING_ERROR
    assert all(packet.flags & flags == flags for packet in after[30:90])


def test_duplicates_are_counted_once(play):
    played = play(n_runs=1, faults=("duplicate@1:7",))
    assert len(of(BankedEvents, played)) == 127
    items, state = understood(data_of(played))
    assert (state.counts.reduced_pulses, state.counts.replayed_pulses) == (120, 7)
    assert same_pulses(pulses(items), pulses(understood(data_of(play(n_runs=1)))[0]))


@pytest.mark.parametrize("at", ["1", "1.9"])
def test_disorder_loses_nothing(play, at: str):
    played = play(n_runs=1, faults=(f"disorder@{at}:9",))
    times = [packet.time_ns for packet in of(BankedEvents, played)]
    assert sorted(times, reverse=True) != times
    assert (np.diff(times) < 0).sum() >= 5
    items, _ = understood(data_of(played))
    plain = pulses(understood(data_of(play(n_runs=1)))[0])
    assert same_pulses(sorted(pulses(items), key=lambda pulse: pulse.time_ns), plain)


def test_faults_of_a_connection_stand_between_two_pulses(play):
    played = play(n_runs=1, faults=("reset@1", "stall@1:3", "garbage@0"))
    placed = [(emission.time_ns - START, str(emission.fault)) for emission in played if emission.fault]
    assert placed == [(0, "garbage@0:1000"), (SECOND, "reset@1"), (SECOND, "stall@1:3")]
    assert data_of(played) == data_of(play(n_runs=1))


def test_nothing_that_a_day_brings_is_odd_to_the_client(play):
    played = play(
        run_length=3.0,
        pauses=("1-1.5",),
        no_beam=("2-2.5",),
        scans=("0-1",),
        ramp=2.0,
        roll_mb=0.1,
        vetoed=0.01,
        partial=0.01,
    )
    items, state = understood(data_of(played))
    assert [item for item in items if isinstance(item, Remark)] == []
    counts = state.counts
    assert (counts.reduced_pulses, counts.paused_pulses, counts.between_runs_pulses) == (2 * 150, 2 * 30, 30)
    assert counts.unreadable_packets == counts.unknown_packets == counts.skipped_bytes == 0
