from __future__ import annotations

from pathlib import Path

from adara_support import SECOND, START, banked, beam_monitors, end_run, new_run, pulse_time, run_status
from livered_core.adara import UNMAPPED_BANK, Heartbeat, RunStatusCode, encode
from livered_core.recording import FileRecording, open_recording, summarise
from livered_core.recording.cutting import packets_of
from livered_core.recording.lines import packet_line
from recording_support import run_packets, to_bytes


def events(first: int, n: int) -> int:
    return sum(i % 4 for i in range(first, first + n))


def test_packets_runs_pulses_events_charge_flags_and_pauses_are_counted(recorded: Path, stream: bytes):
    seen = []
    summary = summarise(open_recording(recorded), seen.append)
    assert seen[-1] == len(stream)
    assert summary.packets == {
        "banked event (0x4000)": 30,
        "run status (0x4003)": 4,
        "run info (0x4004)": 2,
        "geometry (0x400A)": 2,
        "stream annotation (0x4007)": 4,
    }
    assert sum(summary.packet_bytes.values()) == len(stream)
    assert not summary.is_damaged
    first, second = summary.runs
    assert (first.number, first.title, first.start_ns, first.begins, first.ends) == (
        5,
        "diamond",
        START,
        True,
        True,
    )
    assert (first.n_pulses, first.n_events, first.proton_charge_pc) == (20, events(0, 20), 2000)
    assert (first.first_pulse_ns, first.last_pulse_ns) == (pulse_time(0), pulse_time(19))
    assert first.rate == events(0, 20) / ((pulse_time(19) - pulse_time(0)) / 1e9)
    assert first.flags == {"PULSE_VETO": 4}
    assert first.n_pauses == 1
    assert (second.number, second.n_pulses, second.n_events) == (6, 10, events(200, 10))


def test_gaps_disorder_and_events_without_a_pixel_are_counted(tmp_path: Path):
    pulses = [banked(0), banked(1, bank_id=UNMAPPED_BANK), banked(200), banked(199), banked(400)]
    path = tmp_path / "x.adara"
    path.write_bytes(to_bytes([new_run(1), *pulses, end_run(1), banked(401), banked(402)]))
    run, between = summarise(open_recording(path)).runs
    assert (run.n_gaps, run.longest_gap_ns) == (2, pulse_time(400) - pulse_time(200))
    assert run.longest_gap_ns > 3 * SECOND
    assert (run.n_disordered, run.n_unmapped, run.n_error_pixel) == (1, 2, 0)
    assert (between.number, between.n_pulses) == (0, 2)


def test_what_a_server_sent_again_to_a_new_connection_is_not_counted_again(tmp_path: Path):
    first = to_bytes(run_packets(5)[:15])
    again = to_bytes(run_packets(5))
    path = tmp_path / "x.adara"
    path.write_bytes(first[:-30] + again)
    recording = FileRecording("x", (path,), (len(first) - 30,))
    summary = summarise(recording)
    (run,) = summary.runs
    assert summary.n_connections == 2
    assert (run.n_pulses, run.n_events, run.n_repeated, run.n_pauses) == (20, events(0, 20), 9, 1)
    # The last packet of the first connection was cut off.
    assert summary.n_skipped_bytes > 0


def test_a_run_that_is_left_by_a_status_and_taken_up_again_is_one(tmp_path: Path):
    path = tmp_path / "x.adara"
    eof, bof = run_status(RunStatusCode.RUN_EOF, 3), run_status(RunStatusCode.RUN_BOF, 3)
    path.write_bytes(to_bytes([new_run(3), banked(0), eof, bof, banked(1)]))
    (run,) = summarise(open_recording(path)).runs
    assert (run.n_pulses, run.begins, run.ends) == (2, True, False)


def test_damage_is_found_and_said_with_its_place_and_the_rest_is_counted(tmp_path: Path):
    packets = run_packets(5)
    before, after = to_bytes(packets[:8]), to_bytes(packets[8:])
    lying = bytearray(encode(banked(50, pixels=[1, 2, 3])))
    lying[16 + 16 + 16 + 4] = 9  # the bank's number of events
    path = tmp_path / "x.adara"
    path.write_bytes(
        before + b"\xee" * 99 + after + bytes(lying) + to_bytes([end_run(5), Heartbeat(time_ns=START)])
    )
    summary = summarise(open_recording(path))
    assert (summary.n_damaged, summary.n_skipped_bytes) == (1, 99)
    assert summary.runs[0].n_pulses == 20
    assert f"From byte {len(before)} on, 99 bytes are not packets" in summary.damage[0]
    assert "is damaged: it says that bank 1 of source 1 has 9 events" in summary.damage[1]


def test_each_packet_has_a_line_that_cannot_harm_a_terminal(recorded: Path):
    lines = [packet_line(raw) for raw in packets_of(open_recording(recorded)) if hasattr(raw, "payload")]
    assert len(lines) == 42
    assert lines[0] == "2026-09-21T14:13:20.000000000Z run status (0x4003) v1 20 B: run 5: NEW_RUN, file 0"
    assert lines[1].endswith("run 5, IPTS-1: diamond")
    assert lines[2].endswith("xml of 13 characters")
    assert lines[6].endswith("3 events, 100 pC")
    assert lines[3].endswith("0 events, 100 pC, PULSE_VETO")


def test_lines_of_monitors_and_of_what_is_damaged(tmp_path: Path):
    path = tmp_path / "x.adara"
    bad = bytearray(encode(banked(1)))
    bad[16 + 16 + 16 + 4] = 200
    path.write_bytes(encode(beam_monitors(0, {1: 3, 2: 4})) + bytes(bad) + encode(Heartbeat(time_ns=START)))
    monitors, damaged, heartbeat = (
        packet_line(raw) for raw in packets_of(open_recording(path)) if hasattr(raw, "payload")
    )
    assert monitors.endswith("7 events of monitors 1, 2")
    assert "DAMAGED: The ADARA packet banked event" in damaged
    assert heartbeat.endswith("heartbeat (0x4009) v0 0 B:")
