"""Installed plugins made on the spot: real distributions in a folder on sys.path."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Else each of the hundreds of processes that tests start compiles numba and all others anew: 3 s instead of 1 s.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A busy machine is not a failure: what takes too long in earnest has a benchmark.
settings.register_profile("livered", parent=settings.default, deadline=None)
settings.load_profile("livered")

Install = Callable[..., Path]


def pytest_configure(config):
    """Let Ctrl-C reach the programs that tests start, also where a shell has started the tests in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a distribution: its modules (name to source) and its entry points (group to lines)."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)

    def install(
        distribution: str, modules: dict[str, str], entry_points: dict[str, list[str]], version: str = "1.0"
    ) -> Path:
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        groups = [f"[{group}]\n" + "\n".join(lines) + "\n" for group, lines in entry_points.items()]
        (info / "entry_points.txt").write_text("\n".join(groups))
        for name, source in modules.items():
            path = site / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source))
        return site

    yield install
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(site)):
            del sys.modules[name]
