"""Section 6 of the document: stopping; section 8: the fake listener."""

from __future__ import annotations

import threading
import time

import pytest

from contract_support import LIVE_FAKE, REPORT
from waiting import until

pytestmark = pytest.mark.usefixtures("test_live")
FAKE = LIVE_FAKE
WITH_LOG = {**FAKE, "AccumulationMethod": "Replace", "ProcessingScript": REPORT}


def test_cancel_is_seen_at_once_when_nothing_is_done_and_the_output_stays(live_data):
    from mantid.api import mtd

    live = live_data(**{**FAKE, "UpdateEvery": 60.0}).start()
    until(live.is_running)
    began = time.monotonic()
    live.cancel()
    assert time.monotonic() - began < 5.0
    assert not live.monitor.isExecuted()
    assert "live" in mtd


def test_a_script_is_never_interrupted(live_data, probe):
    begun, go_on = threading.Event(), threading.Event()

    def then(_workspace, output):
        if len(probe.seen) == 2:
            begun.set()
            go_on.wait(30)
        return output

    probe.then = then
    live = live_data(**WITH_LOG).start()
    assert begun.wait(30)
    live.monitor.cancel()
    threading.Event().wait(0.3)
    assert live.is_running()
    go_on.set()
    until(lambda: not live.is_running())


def test_cancelall_from_inside_a_script(live_data, probe):
    from mantid.api import AlgorithmManager

    def then(_workspace, output):
        if len(probe.seen) == 2:
            AlgorithmManager.cancelAll()
        return output

    probe.then = then
    live = live_data(**WITH_LOG).start()
    until(lambda: len(probe.seen) == 2 and not live.is_running())


def test_starting_again_with_the_same_names(live_data, probe):
    for _ in range(2):
        live = live_data(**WITH_LOG).start()
        until(live.is_running)
        live.cancel()
    assert len(probe.seen) >= 2


def test_the_running_monitor_is_found_by_its_name(live_data):
    from mantid.api import AlgorithmManager

    live = live_data(**{**FAKE, "UpdateEvery": 60.0}).start()
    until(live.is_running)
    found = AlgorithmManager.runningInstancesOf("MonitorLiveData")
    assert [each.getPropertyValue("OutputWorkspace") for each in found] == ["live"]
    assert found[0].isRunning()
    live.cancel()
    assert not AlgorithmManager.runningInstancesOf("MonitorLiveData")


# Section 8: the fake listener.


def test_the_fake_listener_has_two_spectra_and_a_whole_run_number(live_data, probe):
    live = live_data(**WITH_LOG).start()
    until(lambda: probe.n_events > 100)
    live.cancel()
    assert isinstance(probe.seen[0].logs["run_number"], int)


def test_the_fake_listener_ends_runs(live_data, probe):
    from mantid.kernel import ConfigService

    ConfigService.setString("fakeeventdatalistener.endrunevery", "1")
    live = live_data(**{**WITH_LOG, "RunTransitionBehavior": "Stop"}).start()
    until(lambda: len(probe.seen) > 2 and not live.is_running())
    assert live.monitor.isExecuted()
