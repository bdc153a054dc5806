"""What the page "Running with Mantid" shows."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from live_mantid import PIXELS, PULSE, beat, end_of, now_ns, prologue, pulses
from livered_core.clocks import SystemClock
from livered_core.engine.session import Session
from livered_core.engine.setup import load_configuration
from sms_support import scripted_server

PAGE = Path(__file__).parents[2] / "docs" / "running-with-mantid.md"
N = 60


@pytest.fixture
def plugin(install):
    text = PAGE.read_text(encoding="utf-8")
    _, _, after = text.partition("<!-- a plugin that a test runs -->\n```python\n")
    code, _, _ = after.partition("```")
    assert code
    install("page", {"page_plugin.py": code}, {"livered.instruments": ["NOM = page_plugin:Diffractometer"]})


def test_the_plugin_of_the_page_reduces_a_run(plugin, tmp_path, monkeypatch):
    def script(client):
        start_ns = now_ns()
        client.send(
            *prologue(7, start_ns), *pulses(start_ns, 0, N), end_of(7, start_ns, start_ns + N * PULSE)
        )
        beat(client)

    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir(mode=0o700)
    available = [
        *entry_points(group="livered.plugins"),
        *(
            point
            for point in entry_points(group="livered.instruments")
            if point.value.startswith("page_plugin")
        ),
    ]
    with scripted_server(script) as server:
        flags = {
            "address": server.address,
            "update_every": 0.3,
            "run_transition": "stop",
            "output_dir": str(tmp_path),
        }
        loaded = load_configuration("NOM", None, flags, {"HOME": str(tmp_path)}, available=available)
        session = Session(loaded, SystemClock(), environ={"XDG_RUNTIME_DIR": str(tmp_path / "run")})
        assert session.run() == 0, "backend auto takes Mantid for it"
    health = session.health()
    assert health is not None
    (curve,) = health.result.curves
    assert (curve.label, curve.x_unit, curve.y.sum()) == ("all pixels", "Angstrom", N * len(PIXELS))
