from __future__ import annotations

from typing import Any

from livered_core.sources.mantid_chunks import Said
from livered_core.sources.mantid_progress import Progress


def said(pulse_ns: int = 0, n_events: int = 0, kind: str = "events", beam: bool = True, **more: Any) -> Said:
    known = {
        "run": None,
        "ended": False,
        "paused": False,
        "kind": kind,
        "n_events": n_events,
        "n_pulses": int(pulse_ns > 0),
        "proton_charge_pc": 1.0,
        "first_pulse_ns": pulse_ns,
        "last_pulse_ns": pulse_ns,
        "beam": beam,
    }
    return Said(**{**known, **more})


def test_a_pulse_later_than_all_before_is_progress_and_a_replay_is_none():
    progress = Progress(0.0)
    assert progress.note(said(100), 1.0)
    assert progress.note(said(200), 2.0)
    progress.begin_call(3.0)
    assert not progress.note(said(100), 4.0)
    assert not progress.note(said(200), 5.0)
    assert progress.note(said(300), 6.0)
    assert progress.last_pulse_ns == 300


def test_a_replay_breaks_silence_although_it_is_no_progress():
    progress = Progress(0.0)
    progress.note(said(200), 1.0)
    progress.note(said(), 50.0)
    assert progress.silent_s(60.0) == 59.0
    progress.note(said(100), 61.0)
    assert progress.silent_s(62.0) == 0.0


def test_within_a_chunk_nothing_is_silent():
    progress = Progress(0.0)
    assert progress.silent_s(5.0) is None
    progress.note(said(100), 10.0)
    assert progress.silent_s(39.0) == 0.0
    progress.note(said(), 40.0)
    assert progress.silent_s(41.0) == 31.0
    assert progress.empty_in_a_row == 1


def test_without_beam_pulses_come_without_charge():
    progress = Progress(0.0)
    progress.note(said(100), 10.0)
    progress.note(said(200, beam=False), 40.0)
    progress.note(said(300, beam=False), 70.0)
    assert progress.beam_off_s() == 60.0
    progress.note(said(400), 100.0)
    assert progress.beam_off_s() == 0.0


def test_of_a_listener_without_pulses_events_are_progress_and_of_a_histogram_what_is_more_than_before():
    progress = Progress(0.0)
    assert progress.note(said(n_events=5), 1.0)
    assert progress.note(said(n_events=7, kind="histogram"), 2.0)
    assert not progress.note(said(n_events=7, kind="histogram"), 3.0)
    assert progress.note(said(n_events=9, kind="histogram"), 4.0)
    assert progress.empty_in_a_row == 0
