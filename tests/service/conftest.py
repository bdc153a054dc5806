"""A real systemd user manager beside the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from waiting import until

TOOL = Path(__file__).parents[3] / "shared" / "tools" / "with-user-systemd"


@pytest.fixture
def manager(tmp_path):
    """Start a systemd user manager; give the variables with which `systemctl --user` and livered are its own."""
    if not TOOL.is_file():
        pytest.skip("no systemd user manager can be started: no folder `shared` with with-user-systemd")
    if os.geteuid() != 0 or not Path("/lib/systemd/systemd").exists() or shutil.which("systemctl") is None:
        pytest.skip("no systemd user manager can be started here: that needs root and systemd")
    told = tmp_path / "manager"
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    hold = 'env -0 >"$1.part" && mv "$1.part" "$1" && exec cat'
    with subprocess.Popen([TOOL, "sh", "-c", hold, "sh", told], stdin=subprocess.PIPE, env=kept) as process:
        try:
            until(lambda: told.exists() or process.poll() is not None)
            if not told.exists():
                pytest.skip("no systemd user manager can be started here: with-user-systemd failed")
            variables = dict(entry.split("=", 1) for entry in told.read_text().split("\0") if entry)
            yield {**variables, "COLUMNS": "200"}
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
