"""``livered status`` beside a real service manager: what it says of a unit that runs, waits to be restarted, or has failed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from livered_support import livered
from waiting import until

UNIT = "[Service]\nExecStart={start}\n{more}\n"


@pytest.mark.parametrize(
    ("start", "more", "active", "kinds", "code"),
    [
        ("/bin/sleep 600", "", "active", [], 3),
        ("/bin/false", "Restart=no", "failed", ["service-failed"], 1),
        ("/bin/false", "Restart=always\nRestartSec=600", "activating", ["service-restarts"], 1),
    ],
    ids=["runs", "failed", "waits"],
)
def test_a_unit_is_seen_as_its_manager_sees_it(start, more, active, kinds, code, manager, tmp_path):
    environment = dict(manager.environ)
    units = Path(environment["XDG_CONFIG_HOME"]) / "systemd" / "user"
    units.mkdir(parents=True, exist_ok=True)
    (units / "livered-tst.service").write_text(UNIT.format(start=start, more=more))
    call = ["systemctl", "--user"]
    subprocess.run([*call, "daemon-reload"], env=environment, check=True)
    subprocess.run([*call, "--no-block", "start", "livered-tst.service"], env=environment, check=True)

    def asked():
        done = livered(tmp_path, "status", "-i", "TST", "--json", environment=environment)
        (instrument,) = json.loads(done.stdout)["instruments"]
        return done.returncode, instrument

    until(
        lambda: (
            asked()[1]["service"]["active"] == active and (active != "activating" or asked()[1]["findings"])
        )
    )
    answered, instrument = asked()
    assert (answered, [finding["kind"] for finding in instrument["findings"]]) == (code, kinds)
