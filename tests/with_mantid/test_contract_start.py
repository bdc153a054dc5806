"""Sections 1 and 2 of the document: StartLiveData, its properties, and the first chunk."""

from __future__ import annotations

import threading

import pytest

from contract_support import (
    LIVE_FAKE,
    LIVE_SNS,
    REPORT,
    SECOND,
    beat,
    descriptions,
    now_ns,
    prologue,
    pulses,
    run_status,
)
from livered_core.adara import RunStatusCode, StartRequest
from sms_support import scripted_server
from waiting import until

FAKE = {key: value for key, value in LIVE_FAKE.items() if key != "UpdateEvery"}
SNS = {
    key: value
    for key, value in LIVE_SNS.items()
    if key not in ("ProcessingScript", "FromNow", "FromStartOfRun")
}


def test_defaults():
    from mantid.api import AlgorithmManager

    algorithm = AlgorithmManager.create("StartLiveData")
    expected = {
        "FromNow": True,
        "FromStartOfRun": False,
        "FromTime": False,
        "UpdateEvery": 60.0,
        "Instrument": "",
        "Connection": "",
        "Listener": "",
        "Address": "",
        "StartTime": "",
        "ProcessingScript": "",
        "ProcessingScriptFilename": "",
        "AccumulationMethod": "Add",
        "PreserveEvents": False,
        "PostProcessingScript": "",
        "RunTransitionBehavior": "Restart",
        "LastTimeStamp": "",
    }
    assert {name: algorithm.getProperty(name).value for name in expected} == expected
    assert (
        algorithm.getPropertyValue("OutputWorkspace")
        == algorithm.getPropertyValue("AccumulationWorkspace")
        == ""
    )
    assert list(algorithm.getProperty("AccumulationMethod").allowedValues) == ["Add", "Replace", "Append"]
    assert list(algorithm.getProperty("RunTransitionBehavior").allowedValues) == ["Restart", "Stop", "Rename"]


def test_only_instruments_of_the_default_facility_with_live_data():
    from mantid.api import AlgorithmManager
    from mantid.kernel import ConfigService

    ConfigService.setFacility("ISIS")
    algorithm = AlgorithmManager.create("StartLiveData")
    with pytest.raises(ValueError, match="NOMAD"):
        algorithm.setProperty("Instrument", "NOMAD")
    ConfigService.setFacility("SNS")
    algorithm = AlgorithmManager.create("StartLiveData")
    algorithm.setProperty("Instrument", "NOMAD")
    assert "SNSLiveEventDataListener" in list(algorithm.getProperty("Listener").allowedValues)


@pytest.mark.parametrize("wanted", [{"FromStartOfRun": True}, {"FromTime": True}, {"FromNow": False}])
def test_exactly_one_start_is_to_be_chosen_and_from_now_is_chosen_already(test_live, live_data, wanted):
    with pytest.raises(RuntimeError, match="Please check exactly one of FromNow, FromStartOfRun, FromTime"):
        live_data(**FAKE, UpdateEvery=0.0, **wanted).start()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "1990-01-01T00:00:00"),
        ({"FromNow": False, "FromStartOfRun": True}, "1990-01-01T00:00:01"),
    ],
)
def test_the_start_time_is_overwritten(test_live, live_data, wanted, expected):
    live = live_data(**FAKE, UpdateEvery=0.0, StartTime="2020-01-01T00:00:00", **wanted).start()
    assert live.algorithm.getPropertyValue("StartTime") == expected


def test_a_start_time_must_be_one_and_the_future_is_now(test_live, live_data):
    from_time = {"FromNow": False, "FromTime": True, "UpdateEvery": 0.0}
    with pytest.raises((RuntimeError, ValueError), match="date/time"):
        live_data(**FAKE, **from_time).start()
    live = live_data(**FAKE, **from_time, StartTime="2200-01-01T00:00:00").start()
    assert live.algorithm.getPropertyValue("StartTime") == "1990-01-01T00:00:00"


@pytest.mark.parametrize(
    "wrong",
    [
        {"PostProcessingScript": "output = input"},
        {"PostProcessingScript": "output = input", "AccumulationWorkspace": "live"},
        {"ProcessingScript": "output = input", "ProcessingAlgorithm": "Rebin"},
        {"OutputWorkspace": ""},
    ],
)
def test_invalid_combinations_say_no_more_than_that(test_live, live_data, wrong):
    with pytest.raises(RuntimeError, match="Some invalid Properties found"):
        live_data(**{**FAKE, "UpdateEvery": 0.0, **wrong}).start()


def test_histograms_cannot_be_added(test_live, live_data):
    live = live_data(Instrument="ISIS_Histogram", OutputWorkspace="live", UpdateEvery=0.0)
    with pytest.raises(RuntimeError, match="Some invalid Properties found"):
        live.start()


def test_listeners_bring_properties_of_their_own(test_live):
    from mantid.api import AlgorithmManager

    algorithm = AlgorithmManager.create("StartLiveData")
    assert "PeriodList" not in algorithm
    algorithm.setProperty("Instrument", "ISIS_Histogram")
    algorithm.setProperty("PeriodList", [1, 3])
    algorithm.setProperty("SpectraList", [2, 4, 6])
    assert list(algorithm.getProperty("PeriodList").value) == [1, 3]
    algorithm.setProperty("Instrument", "ADARA_FakeEvent")
    assert "PeriodList" not in algorithm


def test_a_script_file_is_missed_in_the_first_chunk_only(test_live, live_data, tmp_path):
    live = live_data(**FAKE, UpdateEvery=0.0, ProcessingScriptFilename=str(tmp_path / "none.py"))
    with pytest.raises(RuntimeError, match="Unable to open file"):
        live.start()


def test_no_update_means_one_chunk_and_no_monitor(test_live, live_data, probe):
    from mantid.api import AlgorithmManager, mtd

    live = live_data(**FAKE, UpdateEvery=0.0, ProcessingScript=REPORT).start()
    assert live.monitor is None
    assert not AlgorithmManager.runningInstancesOf("MonitorLiveData")
    assert len(probe.seen) == 1
    assert mtd["live"].getNumberHistograms() == 2


def test_the_first_chunk_is_processed_on_the_callers_thread_and_replaces(test_live, live_data, probe):
    live_data(**FAKE, UpdateEvery=60.0, ProcessingScript=REPORT).start().cancel()
    first = probe.seen[0]
    assert first.thread_id == threading.get_ident()
    assert first.name == first.output == "__anonymous_livedata_input_live"


def test_the_first_chunk_replaces_what_there_was_also_with_add(test_live, live_data, probe):
    from mantid.api import mtd

    adding = {**FAKE, "AccumulationMethod": "Add", "ProcessingScript": REPORT}
    live = live_data(**adding, UpdateEvery=0.1).start()
    until(lambda: probe.n_events > 500)
    live.cancel()
    live_data(**adding, UpdateEvery=0.0).start()
    assert mtd["live"].getNumberEvents() == probe.seen[-1].n_events < 500


def test_a_script_that_fails_in_the_first_chunk_is_raised_and_nothing_is_left(test_live, live_data):
    from mantid.api import AlgorithmManager, AnalysisDataService

    live = live_data(**FAKE, UpdateEvery=0.2, ProcessingScript="x = 1\nraise ValueError('no good')")
    with pytest.raises(RuntimeError, match=r"no good\n\s+at line \d+ in '<string>'"):
        live.start()
    assert not AlgorithmManager.runningInstancesOf("MonitorLiveData")
    assert "live" not in AnalysisDataService


def test_the_value_of_startlivedata_cannot_be_assigned(test_live):
    from mantid.simpleapi import StartLiveData

    with pytest.raises(RuntimeError, match="Assigning the output of StartLiveData"):
        value = StartLiveData(Instrument="ADARA_FakeEvent", OutputWorkspace="live", UpdateEvery=0.0)
        del value


def test_unknown_keywords_of_startlivedata_warn_only(test_live):
    from mantid.api import mtd
    from mantid.simpleapi import StartLiveData

    StartLiveData(Instrument="ADARA_FakeEvent", OutputWorkspace="live", UpdateEvery=0.0, Nonsense=3)
    assert "live" in mtd


def test_a_second_start_with_the_same_names_is_refused_while_the_first_runs(test_live, live_data):
    first = live_data(**FAKE, UpdateEvery=60.0).start()
    until(first.is_running)
    with pytest.raises(RuntimeError, match="Some invalid Properties found"):
        live_data(**FAKE, UpdateEvery=60.0).start()
    first.cancel()
    live_data(**FAKE, UpdateEvery=60.0).start().cancel()


def test_the_monitor_is_not_running_for_a_moment_after_the_start(test_live, live_data, double):
    double.start_delay = 0.3
    live = live_data(**FAKE, UpdateEvery=60.0).start()
    assert not live.is_running()
    until(live.is_running)
    live.cancel()


def test_two_starts_in_a_row_kill_one_of_the_monitors(test_live, live_data, double):
    """Section 1, the race: the first monitor has not begun when the second StartLiveData looks."""
    from mantid.api import AlgorithmManager

    double.start_delay = 0.3
    first = live_data(**FAKE, UpdateEvery=60.0).start()
    second = live_data(**FAKE, UpdateEvery=60.0).start()
    until(lambda: first.is_running() or second.is_running())
    threading.Event().wait(0.5)
    assert len(AlgorithmManager.runningInstancesOf("MonitorLiveData")) == 1
    alive, dead = (first, second) if first.is_running() else (second, first)
    assert not dead.monitor.isExecuted()
    alive.cancel()


def test_a_server_that_is_not_there_is_said_without_a_reason(live_data):
    with pytest.raises(RuntimeError, match=r"Unable to connect listener \[SNSLiveEventDataListener\] to"):
        live_data(**SNS, Address="127.0.0.1:1").start()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, 0),
        ({"FromNow": False, "FromStartOfRun": True}, 1),
        ({"FromNow": False, "FromTime": True, "StartTime": "2025-11-22T00:00:00"}, 1132617600),
    ],
)
def test_what_is_asked_of_the_server(live_data, wanted, expected):
    """Section 7, ClientHello: version 0, whole seconds since 1990."""

    def script(client):
        client.send(*prologue(7, now_ns()))
        beat(client)

    with scripted_server(script) as server:
        live_data(**SNS, Address=server.address, **wanted).start().cancel()
        hello = server.hellos[0]
    assert (hello.version, hello.flags) == (0, 0)
    assert hello.start == StartRequest(expected)


def test_start_blocks_until_the_geometry_has_come(live_data, double):
    double.block, double.retry = 0.2, 0.2
    send_it = threading.Event()

    def script(client):
        start_ns = now_ns()
        client.send(run_status(7, start_ns, RunStatusCode.NEW_RUN))
        send_it.wait(30)
        client.send(*descriptions(7, start_ns), *pulses(start_ns, 0, 5))
        beat(client)

    with scripted_server(script) as server:
        live = live_data(**SNS, Address=server.address).start_in_thread()
        live.thread.join(1.0)
        assert live.thread.is_alive()
        send_it.set()
        live.join()
        assert live.error is None
        live.cancel()


def test_waiting_for_the_geometry_can_be_cancelled(live_data, double):
    double.block, double.retry = 0.2, 0.4

    def script(client):
        client.send(run_status(7, now_ns(), RunStatusCode.NEW_RUN))
        beat(client)

    with scripted_server(script) as server:
        live = live_data(**SNS, Address=server.address).start_in_thread()
        live.thread.join(0.5)
        live.algorithm.cancel()
        live.join()
        assert live.error is not None
        assert live.monitor is None


def test_history_that_arrived_in_time_is_in_the_first_chunk(live_data, probe):
    """Section 2: with FromStartOfRun; what is there when the geometry is."""

    def script(client):
        start_ns = now_ns() - 10 * SECOND
        client.send(*prologue(7, start_ns), *pulses(start_ns, 0, 20))
        beat(client)

    with scripted_server(script) as server:
        live = live_data(
            **SNS, Address=server.address, FromNow=False, FromStartOfRun=True, ProcessingScript=REPORT
        ).start()
        until(lambda: probe.n_events == 80)
        live.cancel()
    assert probe.seen[0].thread_id == threading.get_ident()
    assert {each.thread_id for each in probe.seen[1:]} != {threading.get_ident()}
