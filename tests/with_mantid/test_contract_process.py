"""Section 6 of the document, the end of the process; and that a child process finds the same Mantid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

PROGRAM = """
import sys, time
from mantid.api import AlgorithmManager
from mantid.kernel import ConfigService
ConfigService.setFacility("TEST_LIVE")
algorithm = AlgorithmManager.create("StartLiveData")
algorithm.setRethrows(True)
for name, value in {"Instrument": "ADARA_FakeEvent", "OutputWorkspace": "live", "UpdateEvery": 0.1}.items():
    algorithm.setProperty(name, value)
algorithm.execute()
monitor = algorithm.getProperty("MonitorLiveData").value
until = time.monotonic() + 30
while not monitor.isRunning() and time.monotonic() < until:
    time.sleep(0.01)
if sys.argv[1] == "cancel":
    monitor.cancel()
    while monitor.isRunning():
        time.sleep(0.01)
print("done", flush=True)
"""


def ended(environment: dict[str, str], how: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, how],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_after_cancel_and_waiting_the_interpreter_ends_cleanly(mantid_environment):
    done = ended(mantid_environment, "cancel")
    assert (done.returncode, done.stdout) == (0, "done\n")


def test_leaving_with_a_running_monitor_crashes(mantid_environment, double):
    done = ended(mantid_environment, "leave")
    assert (done.returncode, done.stdout) == (-signal.SIGSEGV, "done\n")
