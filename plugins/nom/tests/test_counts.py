from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np
import pytest

import livered_core.testing as kit
from livered_core import Chunk, InstrumentDefinition
from livered_core.diffraction import EventFilter, filter_events, focus, pixel_counts
from livered_nom.counts import NomCounts, to_arrays
from livered_nom.plugin import NomPlugin
from livered_nom.settings import NomSettings

MakeChunk = Callable[..., Chunk]


@pytest.fixture(scope="module")
def many(definition: InstrumentDefinition) -> Chunk:
    """Enough events for three threads."""
    rng = np.random.default_rng(3)
    n = 330_000
    events = kit.make_events(rng.integers(0, 101_400, n), rng.integers(0, 180_000, n) / 10)
    return kit.make_chunk(events, instrument=definition)


def count(chunk: Chunk, **settings: object) -> tuple[NomPlugin, NomCounts]:
    plugin = NomPlugin(NomSettings(**settings))
    return plugin, plugin.process_chunk(chunk)


def test_counting_everything_at_once_is_counting_one_after_another(many: Chunk) -> None:
    plugin, counts = count(many, prompt_pulse_width_us=50.0)
    tables = plugin._prepared.tables
    assert tables.plan.n_passes == 1
    filtered = filter_events(many.events, EventFilter(50.0))
    assert filtered.n_filtered > 500
    for member in ("d", "q", "view"):
        alone, together = focus(filtered.events, getattr(tables, member)), getattr(counts, member)
        np.testing.assert_array_equal(together.counts, alone.counts)
        for name in ("proton_charge_pc", "n_binned", "n_out_of_range", "n_masked", "n_unknown"):
            assert getattr(together, name) == getattr(alone, name)
        assert together.n_filtered == filtered.n_filtered
    np.testing.assert_array_equal(counts.pixels, pixel_counts(filtered.events, tables.n_pixels))


@pytest.mark.parametrize("threads", [1, 3, 0])
def test_counts_do_not_depend_on_threads(many: Chunk, threads: int) -> None:
    arrays, numbers = to_arrays(count(many, threads=threads)[1])
    expected, expected_numbers = to_arrays(count(many)[1])
    assert numbers == expected_numbers
    for name, values in expected.items():
        np.testing.assert_array_equal(arrays[name], values)


def test_a_worker_counts_on_one_thread() -> None:
    plugin = NomPlugin(NomSettings(threads=3))
    assert plugin._threads == 3
    plugin.session_started(attrs.evolve(kit.make_session(instrument="NOM"), elsewhere=True))
    assert plugin._threads == 1
    # 30 MB that only updates need.
    assert plugin._standing is None
    plugin.session_ended()
