"""The plugin of this version, as it stands for all that are out there, does what it did."""

from __future__ import annotations

import importlib.util
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from livered_core import SinkLater, SinkUnavailable
from livered_core.hooks.inspection import HOOKS, implemented_hooks
from livered_core.testing import (
    PluginHarness,
    empty_chunk,
    make_result,
    make_run,
    make_update,
    powder_chunk,
    small_instrument,
)

FILE = Path(__file__).parents[1] / "typed" / "plugin_of_0_1.py"


@pytest.fixture(scope="module")
def module():
    spec = importlib.util.spec_from_file_location("plugin_of_0_1", FILE)
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    yield made
    del sys.modules[spec.name]


def test_it_has_every_hook(module):
    classes = (module.Diffractometer, module.EveryOther, module.Sink)
    assert {hook for cls in classes for hook in implemented_hooks(cls)} == set(HOOKS)


def test_it_reduces_a_run(module):
    instrument = small_instrument()
    chunks = [powder_chunk(instrument, [1.26], sequence=number, seed=number) for number in (1, 2)]
    with PluginHarness(module.Diffractometer, {"d_max": 2.0}) as harness:
        result = harness.reduce(*chunks, run=make_run(7))
        heard = harness.instance.heard
    (curve,) = result.curves
    assert curve.x_centres[curve.y.argmax()] == pytest.approx(1.26, abs=0.02)
    assert curve.y.sum() <= sum(chunk.n_events for chunk in chunks)
    assert result.metadata == {"final": True}
    assert [words.split()[0] for words in heard] == ["session", "run", "end", "good"]


def test_its_state_comes_back(module):
    plugin = module.Diffractometer(module.Settings(), temperature=290.0)
    other = module.Diffractometer(module.Settings())
    other.restore_state(plugin.save_state())
    assert other.temperature == 290.0


def test_its_wrapper_leaves_chunks_out(module):
    instrument = small_instrument()
    chunks = [powder_chunk(instrument, [1.26], sequence=number) for number in (1, 2, 3)]
    with PluginHarness(module.Diffractometer, beside=[module.EveryOther]) as harness:
        harness.reduce(*chunks, empty_chunk(sequence=4, instrument=instrument))
        assert harness.updates[-1].skipped_chunks == 2


def test_its_sink_writes_a_row(module, tmp_path):
    sink = module.Sink(module.SinkSettings(tmp_path / "runs.sqlite"))
    run = make_run(7)
    with pytest.raises(SinkLater):
        sink.post_publish(make_result(run), run, make_update())
    sink.post_publish(make_result(run), run, make_update(final=True))
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as database:
        assert database.execute("SELECT number FROM runs").fetchall() == [(7,)]
    nowhere = module.Sink(module.SinkSettings(tmp_path / "nowhere" / "runs.sqlite"))
    with pytest.raises(SinkUnavailable, match="cannot be written"):
        nowhere.post_publish(make_result(run), run, make_update(final=True))
