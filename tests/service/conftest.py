"""A real systemd user manager beside the tests."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from service_support import UserManager
from waiting import until

SCRIPT = Path(__file__).with_name("user_manager.sh")
NEEDED = ("systemctl", "unshare", "mount")


@pytest.fixture
def the_only_one():
    """Wait for other managers of tests on this machine: all share the control groups of one user's units."""
    with (Path(tempfile.gettempdir()) / f"livered-tests-{os.geteuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def manager(tmp_path, the_only_one):
    """Start a systemd user manager; give what talks to it."""
    if os.geteuid() != 0 or not Path("/lib/systemd/systemd").exists() or not all(map(shutil.which, NEEDED)):
        pytest.skip("no systemd user manager can be started here: that needs root, systemd and unshare")
    told = tmp_path / "manager"
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    with subprocess.Popen([SCRIPT, told], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=kept) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            until(lambda: told.exists() or process.poll() is not None)
            if not told.exists():
                said = process.stderr.read().decode(errors="replace").strip()[-300:]
                pytest.skip(f"no systemd user manager can be started here: {said}")
            variables = dict(entry.split("=", 1) for entry in told.read_text().split("\0") if entry)
            yield UserManager({**variables, "COLUMNS": "200"})
        finally:
            process.stdin.close()
            process.wait()
