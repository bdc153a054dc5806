"""The gate around a plugin that counts."""

import numpy as np
import pytest
from livered_temperature_gate import TemperatureGate

from livered_core import SKIP, Curve, HookError, Result, hookimpl
from livered_core.testing import PluginHarness, one_event_chunk

SETTINGS = {"lowest": 290.0, "highest": 300.0}


class Counter:
    """What the gate is around: counts chunks, and leaves out what it is told to."""

    @hookimpl
    def process_chunk(self, chunk):
        return SKIP if chunk.logs.get("nothing to do") else 1

    @hookimpl
    def post_process(self, accumulated, run):
        return Result(run.number, "", [Curve("chunks", [0.0], [accumulated], [0.0], "us", "counts")])


@pytest.fixture
def gate(plugin_harness):
    return plugin_harness(TemperatureGate, SETTINGS, beside=[Counter])


@pytest.mark.parametrize(
    ("kelvin", "taken"),
    [
        (290.0, True),
        (300.0, True),
        ([291.0, 299.0, 290.5], True),
        (289.99, False),
        (300.01, False),
        ([295.0, 301.0], False),
        ([301.0, 295.0], False),
        ([289.0, 295.0], False),
        ([295.0, 289.0, 295.0], False),
        (np.nan, False),
        ([295.0, np.nan], False),
    ],
)
def test_all_values_of_a_chunk_must_be_inside(gate, kelvin, taken):
    gate.feed(one_event_chunk(logs={"SampleTemp": 295.0}))
    gate.feed(one_event_chunk(sequence=2, logs={"SampleTemp": kelvin}))
    result = gate.end_run()
    (update,) = gate.updates
    assert result.curves[0].y.tolist() == [1 + taken]
    assert (update.n_chunks, update.n_events) == (1 + taken, 1 + taken)
    assert (update.skipped_chunks, update.skipped_events) == ((0, 0) if taken else (1, 1))
    assert (update.dropped_chunks, update.complete) == (0, True)


def test_a_run_that_is_all_too_warm_has_no_result(gate):
    gate.feed(one_event_chunk(logs={"SampleTemp": 400.0}))
    assert gate.end_run() is None


def test_what_the_plugin_inside_leaves_out_stays_out(gate):
    gate.feed(one_event_chunk(logs={"SampleTemp": 295.0}))
    gate.feed(one_event_chunk(sequence=2, logs={"SampleTemp": 295.0, "nothing to do": 1.0}))
    assert gate.accumulated == 1


@pytest.mark.parametrize("logs", [{}, {"Temperature": 295.0}], ids=["no log yet", "another log"])
def test_without_its_log_it_does_not_pass(logs):
    with PluginHarness(TemperatureGate, SETTINGS, beside=[Counter], check=False) as gate:
        gate.feed(one_event_chunk(logs=logs), one_event_chunk(sequence=2, logs={"SampleTemp": 295.0}))
        gate.end_run()
        (failure,) = gate.failures
        assert failure.plugin == "temperature_gate"
        assert "the stream has not said SampleTemp" in failure.error
        assert (gate.updates[-1].dropped_chunks, gate.updates[-1].n_chunks) == (1, 1)
        assert not gate.updates[-1].complete


def test_a_text_is_no_temperature(plugin_harness):
    gate = plugin_harness(TemperatureGate, SETTINGS, beside=[Counter])
    with pytest.raises(HookError, match="temperature_gate"):
        gate.feed(one_event_chunk(logs={"SampleTemp": "warm"}))


def test_another_log_may_be_named(plugin_harness):
    gate = plugin_harness(TemperatureGate, {**SETTINGS, "log": "furnace"}, beside=[Counter])
    gate.feed(one_event_chunk(logs={"furnace": 295.0, "SampleTemp": 4.0}))
    assert gate.accumulated == 1
