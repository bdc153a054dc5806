"""The same stream through both backends: the same totals exactly, and the same curves."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from adara_support import annotation
from live_mantid import CHARGE_PC, PIXELS, PULSE, beat, end_of, now_ns, prologue, pulses
from livered_core import ConfigError
from livered_core.adara import AnnotationMarker, RunStatusCode
from livered_core.clocks import SystemClock
from livered_core.config.simulate import SimulateConfig
from livered_core.engine.session import Session
from livered_core.engine.setup import load_configuration
from livered_core.simulator.process import start_simulator
from sms_support import scripted_server

BACKENDS = ("native", "mantid")
N = 90
PLUGIN = """
from livered_core import hookimpl

RESULTS, STORY = [], []

class Plugin:
    '''Reduces nothing by itself: what the backends do by default is compared.'''

    @hookimpl
    def run_started(self, run):
        STORY.append(f"started {run.number} {run.title} {run.proposal}")

    @hookimpl
    def run_ended(self, run, reason):
        STORY.append(f"ended {run.number} {reason.value}")

    @hookimpl
    def post_publish(self, result, run, update):
        RESULTS.append((result, run, update))
"""


@pytest.fixture(params=BACKENDS)
def backend(request) -> str:
    return request.param


@pytest.fixture
def reduce(install, tmp_path: Path, monkeypatch):
    """Run a whole session on a stream with one of the backends, and return what it published and its story."""
    install(
        "recorder", {"recorder_plugin.py": PLUGIN}, {"livered.instruments": ["NOM = recorder_plugin:Plugin"]}
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir(mode=0o700)

    def run(backend: str, address: str, **flags: Any):
        import recorder_plugin

        recorder_plugin.RESULTS.clear()
        recorder_plugin.STORY.clear()
        mine = [
            *entry_points(group="livered.plugins"),
            *(p for p in entry_points(group="livered.instruments") if p.value.startswith("recorder_plugin")),
        ]
        given = {
            "address": address,
            "backend": backend,
            "update_every": 0.3,
            "run_transition": "stop",
            "output_dir": str(tmp_path / backend),
            **flags,
        }
        loaded = load_configuration("NOM", None, given, {"HOME": str(tmp_path)}, available=mine)
        environ = {"XDG_RUNTIME_DIR": str(tmp_path / "run"), "HOME": str(tmp_path)}
        code = Session(loaded, SystemClock(), environ=environ).run()
        return code, list(recorder_plugin.RESULTS), list(recorder_plugin.STORY)

    return run


def one_run(client):
    start_ns = now_ns()
    client.send(*prologue(7, start_ns), *pulses(start_ns, 0, N))
    end_ns = start_ns + N * PULSE
    client.send(end_of(7, start_ns, end_ns), *prologue(0, end_ns, RunStatusCode.NO_RUN))
    beat(client)


def test_a_whole_run(reduce, backend):
    with scripted_server(one_run) as server:
        code, results, story = reduce(backend, server.address)

    assert code == 0
    assert story == ["started 7 run 7 IPTS-1", "ended 7 ended"]
    result, _, update = results[-1]
    assert update.final
    assert update.complete, update.missing
    assert (update.n_events, update.n_pulses) == (N * len(PIXELS), N)
    assert update.proton_charge_pc == N * CHARGE_PC
    (curve,) = result.curves
    assert (curve.label, curve.x_unit, curve.y_unit) == (
        "whole detector",
        "us",
        "counts",
    ) or curve.y_unit == "counts"
    assert curve.y.sum() == N * len(PIXELS)
    assert curve.x_name == "time of flight"
    np.testing.assert_allclose(curve.e, np.sqrt(curve.y))
    # Of the three pixels two have one time of flight, in ticks of 0.1 us, and one has those of its pulses.
    assert curve.y[4] == N
    assert curve.y[6] == N
    assert curve.y[2] == N


@pytest.mark.parametrize("keep_paused", [False, True])
def test_a_pause(reduce, backend, keep_paused):
    """Pulses of a pause count only when asked for; Mantid then drops their events and their charge."""

    def paused_run(client):
        start_ns = now_ns()
        client.send(*prologue(7, start_ns), *pulses(start_ns, 0, 30))
        client.send(attrs.evolve(annotation(AnnotationMarker.PAUSE), time_ns=start_ns + 30 * PULSE))
        client.send(*pulses(start_ns, 30, 60))
        client.send(attrs.evolve(annotation(AnnotationMarker.RESUME), time_ns=start_ns + 60 * PULSE))
        client.send(*pulses(start_ns, 60, N), end_of(7, start_ns, start_ns + N * PULSE))
        client.send(*prologue(0, start_ns + N * PULSE, RunStatusCode.NO_RUN))
        beat(client)

    with scripted_server(paused_run) as server:
        _, results, _ = reduce(backend, server.address, source={"keep_paused": keep_paused})

    update = results[-1][2]
    kept = N if keep_paused else N - 30
    assert (update.n_events, update.n_pulses) == (kept * len(PIXELS), kept)
    assert update.proton_charge_pc == kept * CHARGE_PC
    assert update.complete, update.missing


@pytest.mark.parametrize("key", ["leave_out_vetoed", "leave_out_partial", "add_tof_offset"])
def test_what_only_livereds_own_reader_can_do_is_refused_with_mantid(reduce, key):
    with pytest.raises(ConfigError, match=f"source.{key} is not possible with Mantid"):
        reduce("mantid", "127.0.0.1:1", source={key: True})


def test_a_simulated_run_is_reduced_alike(reduce, tmp_path):
    """Totals exactly; counts of each bin, too: the seed draws the same events."""
    simulate = SimulateConfig(
        idf=Path(__file__).with_name("tiny.xml"),
        run_length=3.0,
        rate=2000.0,
        hold_for_client=True,
        run_number=9,
        title="tiny",
    )
    made = {}
    for backend in BACKENDS:
        with start_simulator(simulate, "NOM") as simulator:
            code, results, _ = reduce(backend, simulator.address)
        assert code == 0
        made[backend] = results[-1]
    (native, _, of_native), (mantid, _, of_mantid) = made["native"], made["mantid"]

    assert of_native.n_events > 1000
    for name in ("n_events", "n_pulses", "proton_charge_pc", "final", "complete"):
        assert getattr(of_native, name) == getattr(of_mantid, name), name
    assert native.title == mantid.title
    np.testing.assert_array_equal(native.curves[0].x, mantid.curves[0].x)
    np.testing.assert_array_equal(native.curves[0].y, mantid.curves[0].y)
