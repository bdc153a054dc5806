"""From bytes to items: any split, damage, other versions, and columns that are used again."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adara_support import banked, beam_monitors, end_run, geometry, new_run, pulse_time, run_info
from livered_core.adara import (
    ERROR_PIXELS_BANK,
    UNMAPPED_BANK,
    BankedStateEvents,
    PulseFlag,
    RawPacket,
    Rtdl,
    encode,
    read_pulse,
)
from livered_core.adara.wire import HEADER
from livered_core.chunking.builder import ChunkBuilder
from livered_core.chunking.counts import PLACES
from livered_core.chunking.event_blocks import EventBlocks
from livered_core.chunking.intake import Intake
from livered_core.chunking.items import DataMissing, MonitorPulse, Pulse, Remark, RunBegan, RunStopped
from livered_core.chunking.selection import PulseSelection
from livered_core.chunking.stream_state import StreamState
from livered_core.errors import ProtocolError

N = 12
PULSES = [banked(index, pixels=range(100 * index, 100 * index + index)) for index in range(N)]
PROLOGUE = [geometry(), new_run(5), run_info(5)]
RUN = b"".join(encode(packet) for packet in (*PROLOGUE, *PULSES, end_run(5)))


def intake(tolerant=False, **selection):
    it = Intake(StreamState("TST", PulseSelection(**selection)))
    it.connection_opened(tolerant=tolerant)
    return it


def pour(it, data, sizes=(1 << 20,)):
    items = []
    turn = 0
    while data:
        room = it.writable()
        n = max(1, min(sizes[turn % len(sizes)], len(room), len(data)))
        room[:n] = data[:n]
        items += it.take(n)
        data, turn = data[n:], turn + 1
    return [*items, *it.release()]


def pulses(items):
    return [item for item in items if isinstance(item, Pulse)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=6))
def test_however_the_bytes_are_split_the_pulses_are_the_same(sizes):
    items = pour(intake(), RUN, sizes)

    assert isinstance(items[-1], RunStopped)
    found = pulses(items)
    assert [pulse.time_ns for pulse in found] == [packet.time_ns for packet in PULSES]
    for pulse, packet in zip(found, PULSES, strict=True):
        np.testing.assert_array_equal(pulse.pixel_id, packet.pixel_id)
        np.testing.assert_array_equal(pulse.tof, packet.tof)


def test_pulses_side_by_side_become_a_chunk_without_a_copy():
    builder = ChunkBuilder()
    found = pulses(pour(intake(), RUN))
    for pulse in found:
        builder.add(pulse)

    batch = builder.close().events

    assert np.shares_memory(batch.tof, found[-1].block.tof)
    np.testing.assert_array_equal(batch.pixel_id, np.concatenate([packet.pixel_id for packet in PULSES]))
    np.testing.assert_array_equal(np.diff(batch.event_offset), [len(packet.tof) for packet in PULSES])


def test_what_is_left_out_leaves_no_hole_in_the_columns():
    paused = b"".join(encode(packet) for packet in (*PROLOGUE, *PULSES[:6]))
    it = intake(leave_out_vetoed=True)
    vetoed = encode(banked(6, pixels=range(50), flags=int(PulseFlag.PULSE_VETO)))
    found = pulses(pour(it, paused + vetoed + b"".join(map(encode, PULSES[7:])) + encode(end_run(5))))
    builder = ChunkBuilder()
    for pulse in found:
        builder.add(pulse)

    batch = builder.close().events

    assert np.shares_memory(batch.tof, found[0].block.tof)
    expected = [packet.pixel_id for packet in PULSES[:6] + PULSES[7:]]
    np.testing.assert_array_equal(batch.pixel_id, np.concatenate(expected))
    assert it.state.counts.vetoed_pulses == 1
    assert it.state.counts.vetoed_events == 50
    assert it.state.counts.flagged == {"pulse_veto": 1}


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=60), st.integers(1, 7))
@settings(deadline=None)
def test_blocks_that_somebody_holds_are_never_written_again(rooms, capacity):
    blocks = EventBlocks(capacity)
    held = []
    for serial, (n, hold) in enumerate(rooms):
        block, start = blocks.room(n)
        view = block.tof[start : start + n]
        view[:] = serial
        blocks.keep(n)
        if hold:
            held.append((view, serial))
        del block, view
    for view, serial in held:
        assert (view == serial).all()


def test_blocks_are_used_again_once_nobody_holds_them():
    blocks = EventBlocks(100)
    seen = set()
    for _ in range(40):
        block, _start = blocks.room(80)
        blocks.keep(80)
        seen.add(id(block.tof))
        view = block.tof[:80]
        del block, view
    gc.collect()
    assert len(seen) == 2


def test_other_banks_are_counted_and_not_among_the_columns():
    data = b"".join(
        encode(packet)
        for packet in (
            *PROLOGUE,
            banked(0, pixels=range(3), bank_id=ERROR_PIXELS_BANK),
            banked(1, pixels=range(4), bank_id=UNMAPPED_BANK),
            banked(2, pixels=range(5)),
        )
    )
    it = intake()
    found = pulses(pour(it, data))
    builder = ChunkBuilder()
    for pulse in found:
        builder.add(pulse)

    chunk = builder.close()

    assert (chunk.n_events, chunk.n_error_pixel_events, chunk.n_unmapped_events) == (5, 3, 4)
    counts = it.state.counts
    assert (counts.events, counts.reduced_events) == (12, 12)
    assert (counts.error_pixel_events, counts.unmapped_events) == (3, 4)


def with_offset(tof_offset, corrected):
    packet = banked(0)
    packet.tof_offset[0] = tof_offset
    packet.tof_corrected[0] = corrected
    return b"".join(map(encode, [*PROLOGUE, packet]))


@pytest.mark.parametrize(("add", "shift"), [(False, 0), (True, 250)])
def test_the_offset_of_frame_skew_is_added_only_as_asked_and_always_said(add, shift):
    it = intake(add_tof_offset=add)
    items = pour(it, with_offset(250, corrected=False))

    np.testing.assert_array_equal(pulses(items)[0].tof, [1000 + shift, 1001 + shift])
    assert it.state.counts.uncorrected_pulses == 1
    (remark,) = [item for item in items if isinstance(item, Remark)]
    assert ("is added, as asked" if add else "is not added") in remark.sentence


@pytest.mark.parametrize("add", [False, True])
def test_an_offset_that_was_added_already_is_not_added_again(add):
    it = intake(add_tof_offset=add)
    items = pour(it, with_offset(250, corrected=True))

    np.testing.assert_array_equal(pulses(items)[0].tof, [1000, 1001])
    assert it.state.counts.uncorrected_pulses == 0


def test_events_with_states_are_reduced_like_others():
    plain = banked(0, pixels=(7, 8, 9))
    fields = {
        field: getattr(plain, field) for field in plain.__slots__ if field not in ("version", "__weakref__")
    }
    packet = BankedStateEvents(**fields, bank_state=np.array([3], np.uint32))
    items = pour(intake(), b"".join(map(encode, [*PROLOGUE, packet])))

    np.testing.assert_array_equal(pulses(items)[0].pixel_id, [7, 8, 9])


def test_a_damaged_pulse_ends_the_connection_or_is_left_out_and_said():
    lies = bytearray(encode(banked(3, pixels=range(5))))
    lies[16 + 9 * 4 : 16 + 10 * 4] = (6).to_bytes(4, "little")
    data = (
        b"".join(map(encode, [*PROLOGUE, *PULSES[:3]])) + bytes(lies) + encode(PULSES[4]) + encode(end_run(5))
    )
    with pytest.raises(ProtocolError, match="says that bank 1 of source 1 has 6 events"):
        pour(intake(), data)

    it = intake(tolerant=True)
    items = pour(it, data)

    assert [(pulse.time_ns) for pulse in pulses(items)] == [pulse_time(n) for n in (0, 1, 2, 4)]
    assert it.state.counts.unreadable_packets == 1
    (missing,) = [item for item in items if isinstance(item, DataMissing)]
    assert "says that bank 1 of source 1 has 6 events" in missing.sentence


def test_data_lost_before_a_run_is_announced_are_missing_from_its_start():
    items = pour(
        intake(tolerant=True),
        b"".join(map(encode, PROLOGUE)) + b"\xff" * 40 + b"".join(map(encode, PULSES)) + encode(end_run(5)),
    )
    (began,) = [item for item in items if isinstance(item, RunBegan)]
    assert began.missing.startswith("40 bytes of the stream, from byte ")


@pytest.mark.parametrize("cut", [1, 15, 17, 40])
def test_the_end_of_a_file_within_a_packet_is_said(cut):
    it = intake(tolerant=True)
    items = [*pour(it, RUN[: -36 - cut]), *it.finish()]

    assert len(pulses(items)) >= N - 2
    assert it.state.counts.skipped_bytes > 0
    assert [item for item in items if isinstance(item, DataMissing)]


def test_everything_adds_up_with_every_reason_to_leave_a_pulse_out():
    it = intake(leave_out_partial=True, not_before_ns=pulse_time(2))
    partial = banked(5, flags=int(PulseFlag.PARTIAL_DATA | PulseFlag.GOT_NEUTRONS))
    pour(it, b"".join(map(encode, [banked(-1), *PROLOGUE, *PULSES[:5], partial, *PULSES[4:], end_run(5)])))
    counts = it.state.counts.by_name()

    assert counts["pulses"] == sum(counts[f"{place}_pulses"] for place in PLACES) == N + 3
    assert counts["events"] == sum(counts[f"{place}_events"] for place in PLACES)
    assert (counts["partial_pulses"], counts["early_pulses"], counts["between_runs_pulses"]) == (1, 2, 1)
    assert counts["replayed_pulses"] == 2
    assert (counts["flagged_partial_data"], counts["flagged_got_neutrons"]) == (1, 1)


def test_the_beam_is_told_from_the_accelerators_words():
    it = intake()
    pour(
        it,
        b"".join(
            map(encode, [Rtdl(time_ns=pulse_time(0), proton_charge_pc=0), banked(0, charge_pc=0), banked(1)])
        ),
    )
    counts = it.state.counts
    assert (counts.rtdl_packets, counts.pulses, counts.beam_pulses) == (1, 2, 1)


def test_monitors_come_with_their_pulses_and_once():
    monitors = [beam_monitors(index, {1: index, 3: 1}) for index in range(N)]
    both = [each for pair in zip(PULSES, monitors, strict=True) for each in pair]
    it = intake()
    first = pour(it, b"".join(map(encode, [*PROLOGUE, *both[:13]])))
    it.connection_opened()
    second = pour(it, b"".join(map(encode, [*PROLOGUE, *both[6:], end_run(5)])))
    found = [item for item in first + second if isinstance(item, MonitorPulse)]

    assert [item.time_ns for item in found] == [packet.time_ns for packet in monitors]
    assert it.state.counts.monitor_events == sum(range(N)) + N
    assert it.state.counts.left_out_monitor_events == sum(range(3, 6)) + 3
    builder = ChunkBuilder()
    for item in found:
        builder.add_monitors(item)
    for pulse in pulses(first + second):
        builder.add(pulse)
    events = builder.close().monitors
    assert sorted(events) == [1, 3]
    np.testing.assert_array_equal(np.diff(events[1].event_offset), range(1, N))
    np.testing.assert_array_equal(events[1].pulse_time_ns, [pulse_time(index) for index in range(1, N)])
    assert events[3].n_events == N
    assert builder.n_pulses == 0


def test_monitors_of_pulses_that_are_left_out_are_left_out_and_counted():
    it = intake()
    items = pour(it, b"".join(map(encode, [beam_monitors(0, {1: 4}), *PROLOGUE])))
    assert not [item for item in items if isinstance(item, MonitorPulse)]
    assert it.state.counts.left_out_monitor_events == 4


def test_columns_given_are_written_and_nothing_behind_them():
    packet = encode(banked(0, pixels=(5, 6)))
    raw = RawPacket(0x4000, 1, pulse_time(0), packet[HEADER.size :])
    pixel_id, tof = np.full((2, 6), 99, np.uint32)

    pulse = read_pulse(raw, pixel_id, tof)

    assert pulse.n_events == 2
    np.testing.assert_array_equal(pixel_id, [5, 6, 99, 99, 99, 99])
    np.testing.assert_array_equal(tof, [1000, 1001, 99, 99, 99, 99])


def test_nothing_behind_damage_is_taken_from_a_connection_that_is_given_up():
    """The end of the run waits in the framer, and the pulses between it and the damage were not taken."""
    lies = bytearray(encode(banked(3, pixels=range(5))))
    lies[16 + 9 * 4 : 16 + 10 * 4] = (6).to_bytes(4, "little")
    it = intake()
    data = (
        b"".join(map(encode, [*PROLOGUE, *PULSES[:3]])) + bytes(lies) + encode(PULSES[4]) + encode(end_run(5))
    )
    it.writable()[: len(data)] = data

    with pytest.raises(ProtocolError):
        list(it.take(len(data)))

    assert list(it.release()) == []
    assert it.state.run is not None
