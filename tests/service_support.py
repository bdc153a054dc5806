"""A service of livered beside a real systemd user manager."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from livered_support import WAIT, livered

PLUGIN = """
    import attrs
    from livered_core import Curve, Result, hookimpl

    @attrs.define(eq=False)
    class Instrument:
        @hookimpl
        def process_chunk(self, chunk, run):
            return chunk.n_events

        @hookimpl
        def post_process(self, accumulated, run, update):
            return Result(run.number, run.title, (Curve("sum", [0.0], [accumulated], [0.0], "one", "counts"),))
"""
"""Counts events."""


def install_plugin(install: Callable[..., Path], source: str = PLUGIN) -> Path:
    """Install a plugin for the instrument SVC."""
    return install(
        "livered-svc", {"svc_plugin.py": source}, {"livered.instruments": ["SVC = svc_plugin:Instrument"]}
    )


@attrs.frozen
class UserManager:
    """A service manager of its own, and livered beside it.

    Attributes
    ----------
    environ
        Variables with which programs find it.
    """

    environ: dict[str, str]

    def unit(self, name: str = "svc") -> Path:
        """The file of a unit."""
        return Path(self.environ["XDG_CONFIG_HOME"]) / "systemd" / "user" / f"livered-{name}.service"

    def drop_in(self, text: str, name: str = "svc") -> Path:
        """Change a unit, as a person does."""
        path = self.unit(name).with_name(f"livered-{name}.service.d") / "mine.conf"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def livered(self, folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run livered."""
        return livered(folder, *arguments, environment=self.environ)

    def systemctl(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run systemctl --user."""
        command = ["systemctl", "--user", *map(str, arguments)]
        return subprocess.run(
            command, env=self.environ, capture_output=True, text=True, timeout=WAIT, check=False
        )

    def shown(self, *properties: str, name: str = "svc") -> dict[str, str]:
        """Give properties of a unit."""
        asked = (f"--property={key}" for key in properties)
        lines = self.systemctl("show", f"livered-{name}.service", *asked).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines)

    def state(self, name: str = "svc") -> str:
        """Give the ActiveState of a unit."""
        return self.shown("ActiveState", name=name)["ActiveState"]

    def pid(self, name: str = "svc") -> int:
        """Give the process of a unit; 0 without."""
        return int(self.shown("MainPID", name=name)["MainPID"])

    def status(self, name: str = "SVC") -> dict[str, Any]:
        """Give what livered wrote of itself; empty before it did."""
        path = Path(self.environ["XDG_RUNTIME_DIR"]) / "livered" / name / "status.json"
        try:
            return json.loads(path.read_text())
        except FileNotFoundError:
            return {}

    def run_number(self, pid: int, name: str = "SVC") -> int:
        """Give the run that a process has in hand; 0 without."""
        status = self.status(name)
        return (status.get("run") or {}).get("number", 0) if status.get("pid") == pid else 0


def variables_of(pid: int) -> set[str]:
    """Give the environment of a process, as NAME=VALUE."""
    return set(Path(f"/proc/{pid}/environ").read_text().split("\0"))


def is_alive(pid: int) -> bool:
    """Say whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
