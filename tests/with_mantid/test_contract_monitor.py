"""Section 3 of the document: MonitorLiveData, the loop."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from contract_support import LIVE_FAKE, REPORT
from waiting import until

pytestmark = pytest.mark.usefixtures("test_live")
FAKE = LIVE_FAKE
WITH_LOG = {**FAKE, "AccumulationMethod": "Replace", "ProcessingScript": REPORT}


def n_events(name: str = "live") -> int:
    from mantid.api import mtd

    return mtd[name].getNumberEvents()


def test_chunks_come_on_one_thread_that_python_did_not_make(live_data, probe):
    live = live_data(**WITH_LOG).start()
    until(lambda: len(probe.seen) >= 4)
    live.cancel()
    later = probe.seen[1:]
    assert len({each.thread_id for each in later}) == 1
    assert later[0].thread_id != threading.get_ident()
    assert later[0].thread.startswith("Dummy-")


def test_chunks_are_as_far_apart_as_asked_for_and_never_overlap(live_data, probe):
    live = live_data(**{**WITH_LOG, "UpdateEvery": 0.3}).start()
    until(lambda: len(probe.seen) >= 4)
    live.cancel()
    gaps = np.diff([each.at for each in probe.seen])
    assert (gaps > 0.29).all()


def test_a_slow_script_makes_chunks_larger_and_not_more(live_data, probe):
    def then(_workspace, output):
        threading.Event().wait(0.4)
        return output

    probe.then = then
    live = live_data(**WITH_LOG).start()
    until(lambda: len(probe.seen) >= 4)
    live.cancel()
    gaps = np.diff([each.at for each in probe.seen])
    assert (gaps > 0.4).all()


def test_a_script_that_fails_ends_the_monitor_and_nothing_is_raised(live_data, probe):
    from mantid.api import mtd

    def then(_workspace, output):
        if len(probe.seen) == 3:
            raise ValueError("no good")
        return output

    probe.then = then
    live = live_data(**WITH_LOG).start()
    until(lambda: len(probe.seen) == 3 and not live.is_running())
    assert not live.monitor.isExecuted()
    assert "live" in mtd


@pytest.mark.parametrize("way_out", [SystemExit, KeyboardInterrupt])
def test_exits_of_a_script_end_the_monitor_and_not_the_process(live_data, probe, way_out):
    def then(_workspace, output):
        if len(probe.seen) == 2:
            raise way_out
        return output

    probe.then = then
    live = live_data(**WITH_LOG).start()
    until(lambda: len(probe.seen) == 2 and not live.is_running())


def test_empty_chunks_are_processed_too(live_data, probe):
    from mantid.kernel import ConfigService

    ConfigService.setString("fakeeventdatalistener.datarate", "1")
    live = live_data(**WITH_LOG, RunTransitionBehavior="Restart").start()
    until(lambda: len(probe.seen) >= 4)
    live.cancel()
    assert 0 in [each.n_events for each in probe.seen]


def test_deleting_what_is_accumulated_begins_anew(live_data, probe):
    from mantid.api import AnalysisDataService

    live = live_data(**{**FAKE, "AccumulationMethod": "Add"}).start()
    until(lambda: "live" in AnalysisDataService and n_events() > 300)
    AnalysisDataService.remove("live")
    until(lambda: "live" in AnalysisDataService)
    assert n_events() < 300 * 3
    assert live.is_running()
    live.cancel()


def test_of_many_algorithms_50_are_kept_and_the_running_one_always(live_data):
    from mantid.api import AlgorithmManager

    live = live_data(**FAKE).start()
    until(live.is_running)
    for _ in range(60):
        algorithm = AlgorithmManager.create("CreateSingleValuedWorkspace")
        algorithm.setProperty("OutputWorkspace", "one")
        algorithm.setProperty("DataValue", 1.0)
        algorithm.execute()
    assert AlgorithmManager.size() <= 50
    assert len(AlgorithmManager.runningInstancesOf("MonitorLiveData")) == 1
    live.cancel()
