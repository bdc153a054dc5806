"""What the state is, for each word and at its boundaries."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard_support import status_table
from livered_core.dashboard.processes import process_of
from livered_core.dashboard.state import WORDS, Process, Seen, state_of
from livered_core.dashboard.times import clock_time, span

NOW = 1_795_000_000_000_000_000
S = 1_000_000_000
HOST = "here"


def status(**changes):
    """A living engine at NOW: a heartbeat half a second ago, data of one second ago, an update every 2 s."""
    table = status_table(now_ns=NOW - S // 2, last_pulse_ns=NOW - S)
    table["session"] = {"id": "a", "started_ns": NOW - 3600 * S}
    table["run"] = {"number": 1, "start_ns": NOW - 1800 * S}
    table["skipped_chunks"] = 0
    return {**table, **changes}


def state(process=Process.ALIVE, newest_pulse_ns=0, phase_since_ns=0, **changes):
    return state_of(Seen(status(**changes), "", process, newest_pulse_ns, phase_since_ns), NOW)


def test_live_needs_a_heartbeat_a_process_the_phase_and_young_data():
    found = state()
    assert (found.word, found.kind, found.data_age_s, found.since_ns) == ("live", "good", 1.0, 0)
    assert found.sentence == "Data are 1.0 s old."


# 10 s and two updates of 2 s explain an age of 14 s.
@pytest.mark.parametrize(("age_s", "word", "kind"), [(14.0, "live", "good"), (14.01, "stale", "bad")])
def test_data_that_are_older_than_updates_explain_are_not_live(age_s, word, kind):
    found = state(last_pulse_ns=NOW - round(age_s * S))
    assert (found.word, found.kind) == (word, kind)
    if word == "stale":
        assert found.since_ns == NOW - round(age_s * S)
        assert "data arrive, but the newest that have been reduced are" in found.sentence


def test_slow_updates_and_long_chunks_explain_older_data():
    source = {"chunk_s": 60.0}
    assert state(last_pulse_ns=NOW - 70 * S, update_every_s=30.0).word == "live"
    assert state(last_pulse_ns=NOW - 130 * S, source=source).word == "live"
    assert state(last_pulse_ns=NOW - 131 * S, source=source).word == "stale"


def test_after_a_pause_old_data_are_caught_up_with_and_not_stale_at_once():
    assert state(last_pulse_ns=NOW - 600 * S, phase_since_ns=NOW - 14 * S).word == "catching up"
    assert state(last_pulse_ns=NOW - 600 * S, phase_since_ns=NOW - 15 * S).word == "stale"


def test_before_the_first_data_of_a_session_it_is_not_live():
    young = {"id": "a", "started_ns": NOW - 5 * S}
    found = state(last_pulse_ns=0, session=young)
    assert (found.word, found.data_age_s) == ("catching up", None)
    found = state(last_pulse_ns=0)
    assert (found.word, found.kind, found.since_ns) == ("stale", "bad", NOW - 1800 * S)


def test_the_newest_result_counts_when_the_run_in_hand_has_none_yet():
    found = state(last_pulse_ns=0, newest_pulse_ns=NOW - 7 * S)
    assert (found.word, found.data_age_s) == ("live", 7.0)


def test_data_of_which_no_result_is_made_are_not_all_well():
    # 10 s and two updates of 2 s after the newest result that was seen.
    assert state(last_pulse_ns=NOW - S, newest_pulse_ns=NOW - 15 * S).kind == "good"
    found = state(last_pulse_ns=NOW - S, newest_pulse_ns=NOW - 16 * S)
    assert (found.word, found.kind, found.data_age_s) == ("live", "warn", 1.0)
    assert found.sentence.startswith("Data are 1.0 s old, but the newest result has those until ")
    assert found.since_ns == NOW - 16 * S
    # The first results after a pause or of a run take their time.
    assert state(newest_pulse_ns=NOW - 600 * S, phase_since_ns=NOW - 14 * S).kind == "good"
    assert state(newest_pulse_ns=NOW - 600 * S, run={"number": 2, "start_ns": NOW - 14 * S}).kind == "good"


def test_data_that_are_left_out_on_purpose_are_dealt_with_and_that_is_said():
    left_out = {"newest_pulse_ns": NOW - S, "skipped_chunks": 48, "skipped_by": "only_hot"}

    def of(shown_ns=0, **changes):
        return state_of(Seen(status(**left_out, **changes), "", Process.ALIVE, shown_ns), NOW)

    found = of(NOW - 600 * S, last_pulse_ns=NOW - 600 * S)
    assert (found.word, found.kind, found.data_age_s) == ("live", "good", 1.0)
    said = "Data are 1.0 s old. The plugin only_hot has left out 48 chunks of this run on purpose"
    assert found.sentence.startswith(f"{said}, the newest too: the newest that are reduced are those of ")
    assert of(last_pulse_ns=0).sentence == f"{said}, the newest too: none of it is reduced."
    assert of().sentence == f"{said}."
    assert "48 chunks" in of(phase="catching up").sentence
    # A chunk that was lost to a failure is not: nothing is told of it but its number.
    assert state(last_pulse_ns=NOW - 600 * S, dropped_chunks=48).word == "stale"


def test_pulses_from_the_future_do_not_look_young_for_ever():
    assert state(last_pulse_ns=NOW + 60 * S).kind == "good"
    found = state(last_pulse_ns=NOW + 61 * S)
    assert (found.word, found.kind, found.data_age_s) == ("live", "warn", None)


# Fresh is younger than 10 s or 5 of its periods.
@pytest.mark.parametrize(
    ("beat_age_s", "every_s", "word"),
    [
        (9.9, 1.0, "live"),
        (10.0, 1.0, "stale"),
        (24.9, 5.0, "live"),
        (25.0, 5.0, "stale"),
        (-9.9, 1.0, "live"),
    ],
)
def test_an_old_heartbeat_is_stale_though_the_process_is_there(beat_age_s, every_s, word):
    beat_ns = NOW - round(beat_age_s * S)
    found = state(now_ns=beat_ns, status_every_s=every_s)
    assert found.word == word
    if word == "stale":
        assert (found.kind, found.since_ns) == ("bad", beat_ns)
        assert found.sentence.startswith("Stale since ")
        assert "does not answer" in found.sentence


def test_a_heartbeat_from_the_future_is_none():
    found = state(now_ns=NOW + 11 * S)
    assert (found.word, found.kind) == ("stale", "bad")
    assert "in the future" in found.sentence


@pytest.mark.parametrize("phase", ["live", "paused", "stopping", "no beam"])
def test_an_engine_that_is_gone_without_a_word_was_killed(phase):
    found = state(process=Process.GONE, phase=phase, now_ns=NOW - 3 * S)
    assert (found.word, found.kind, found.since_ns) == ("stopped", "bad", NOW - 3 * S)
    assert "its process is gone" in found.sentence
    hours = state(process=Process.GONE, phase=phase, now_ns=NOW - 9000 * S)
    assert (hours.word, hours.kind) == ("stopped", "bad")


def test_an_engine_in_a_container_lives_while_its_heart_beats():
    assert state(process=Process.GONE, now_ns=NOW - 2 * S).word == "live"
    assert state(process=Process.UNKNOWN, now_ns=NOW - 8 * S).word == "live"


def test_the_age_grows_while_the_engine_is_dead():
    seen = Seen(status(), "", Process.GONE)
    ages = [state_of(seen, NOW + n * 60 * S).data_age_s for n in range(3)]
    assert ages == [1.0, 61.0, 121.0]


def test_an_orderly_end_is_said_and_stays_said():
    found = state(phase="stopped", now_ns=NOW - 3600 * S, process=Process.GONE)
    assert (found.word, found.kind, found.since_ns) == ("stopped", "warn", NOW - 3600 * S)
    assert found.sentence.startswith("livered was stopped at ")


def test_a_failure_is_said_with_its_reason():
    found = state(phase="failed", failure="The disk is\x1b full.", process=Process.GONE, now_ns=NOW - 60 * S)
    assert (found.word, found.kind) == ("failed", "bad")
    assert found.sentence.endswith(": The disk is full.")


@pytest.mark.parametrize(
    ("phase", "source", "word", "kind", "part"),
    [
        ("catching up", {}, "catching up", "wait", "it has got to"),
        ("paused", {}, "paused", "wait", "paused; the newest data are 1.0 s old"),
        ("no beam", {"beam_off_s": 30.0}, "no beam", "wait", "no beam since"),
        ("no pulses", {"silent_s": 30.0}, "no pulses", "warn", "No pulses arrive since"),
        ("no pulses", {}, "no pulses", "warn", "No pulses arrive"),
        ("between runs", {}, "between runs", "wait", "No run is going on"),
        ("connecting", {"where": "adara://a:1"}, "connecting", "wait", "connects to adara://a:1"),
        ("not connected", {"problem": "Refused."}, "not connected", "bad", "Refused."),
        ("not connected", {}, "not connected", "bad", "cannot be reached"),
        ("reading a recording", {"read_fraction": 0.25}, "reading a recording", "wait", "25%"),
        ("stopping", {}, "stopping", "wait", "asked to stop"),
        ("dancing", {}, "stale", "warn", "dancing"),
        (None, {}, "stale", "warn", "None"),
        (["live"], {}, "stale", "warn", "live"),
    ],
)
def test_each_phase_has_its_word(phase, source, word, kind, part):
    found = state(phase=phase, source=source)
    assert (found.word, found.kind) == (word, kind)
    assert part in found.sentence


def test_since_when_there_is_no_beam_is_what_the_source_says():
    found = state(phase="no beam", source={"beam_off_s": 30.0})
    assert found.since_ns == NOW - S // 2 - 30 * S
    assert state(phase="paused", phase_since_ns=NOW - 9 * S).since_ns == NOW - 9 * S


def test_data_of_a_recording_have_no_age():
    found = state(phase="stopped", source={"read_fraction": 1.0}, newest_pulse_ns=NOW - S)
    assert found.data_age_s is None


def test_without_a_status_it_was_never_started_and_with_a_bad_one_that_is_said():
    assert state_of(Seen(), NOW).word == "never started"
    found = state_of(Seen(problem="status.json is damaged."), NOW)
    assert (found.word, found.kind, found.sentence) == ("stale", "warn", "status.json is damaged.")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=5,
)
PHASES = ("live", "catching up", "paused", "no beam", "no pulses", "stopped", "failed", "not connected")


@given(
    changes=st.dictionaries(st.sampled_from(sorted(status_table())), JSON),
    process=st.sampled_from(Process),
    newest=st.integers(0, 2**63),
    since=st.integers(0, 2**63),
)
def test_whatever_a_file_holds_there_is_a_word(changes, process, newest, since):
    found = state_of(Seen(status(**changes), "", process, newest, since), NOW)
    assert found.word in WORDS
    assert found.kind in ("good", "wait", "warn", "bad")
    assert "\n" not in found.sentence
    assert found.data_age_s is None or found.data_age_s >= 0


@given(
    phase=st.sampled_from(PHASES),
    beat_s=st.floats(-1e5, 1e5),
    age_s=st.floats(-1e5, 1e5),
    every_s=st.floats(0.1, 60),
    process=st.sampled_from(Process),
)
def test_good_is_only_what_is_alive_and_young(phase, beat_s, age_s, every_s, process):
    found = state(
        process=process,
        phase=phase,
        now_ns=NOW - round(beat_s * S),
        last_pulse_ns=NOW - round(age_s * S),
        update_every_s=every_s,
        source={},
    )
    if found.kind == "good":
        assert phase == "live"
        assert abs(beat_s) < 10
        assert -60.1 <= age_s <= 10.1 + 2 * every_s
        assert process is not Process.GONE or beat_s <= 2.5


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.84, "0.8 s"),
        (9.96, "10 s"),
        (99.4, "99 s"),
        (180, "3 min"),
        (6000, "1 h 40 min"),
        (7800, "2 h 10 min"),
        (3 * 86400, "3 days"),
    ],
)
def test_lengths_of_time_are_for_people(seconds, text):
    assert span(seconds) == text


def test_times_of_other_days_have_their_date():
    assert clock_time(NOW, NOW) == "11:06:40 UTC"
    assert clock_time(NOW - 86400 * S, NOW).startswith("2026-11-1")
    assert clock_time(0, NOW) == "an unknown time"


# Processes


def written_now() -> int:
    import time

    return time.time_ns()


def test_this_process_is_alive_and_one_that_has_ended_is_gone():
    assert process_of(os.getpid(), HOST, written_now(), HOST) is Process.ALIVE
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    assert process_of(child.pid, HOST, written_now(), HOST) is Process.GONE


def test_a_zombie_is_gone():
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    try:
        assert process_of(child.pid, HOST, written_now(), HOST) is Process.GONE
    finally:
        child.wait()


def test_a_process_that_began_later_has_only_got_the_number():
    assert process_of(os.getpid(), HOST, 1_000_000_000 * S, HOST) is Process.GONE


@pytest.mark.parametrize("pid", [None, "1", 0, -1, True, 2**40, 1.0])
def test_what_is_no_process_is_not_looked_for(pid):
    assert process_of(pid, HOST, NOW, HOST) is Process.UNKNOWN


def test_a_process_of_another_machine_is_not_looked_for():
    assert process_of(2**22, "elsewhere", NOW, HOST) is Process.UNKNOWN


def test_without_a_kernel_that_tells_nothing_is_known(tmp_path):
    assert process_of(os.getpid(), HOST, NOW, HOST, proc=tmp_path) is Process.UNKNOWN


def test_a_name_with_brackets_does_not_confuse(tmp_path):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "stat").touch()
    (tmp_path / "stat").write_text("cpu 1 2\nbtime 1000\n")
    folder = tmp_path / "77"
    folder.mkdir()
    fields = ["S", *["0"] * 18, "500"]
    (folder / "stat").write_text(f"77 (a) Z ) {' '.join(fields)} 0 0\n")
    assert process_of(77, HOST, 1010 * S, HOST, proc=tmp_path) is Process.ALIVE
    assert process_of(77, HOST, 1002 * S, HOST, proc=tmp_path) is Process.GONE
