"""How many events a chunk has where workers process it: as many as `block_events` says, also more than a block of the reader's."""

import threading
from unittest.mock import Mock

import attrs
import pytest

from adara_support import banked, end_run, new_run
from livered_core.chunking.event_blocks import BLOCK_EVENTS
from livered_core.clocks import SystemClock
from livered_core.config import Config, EngineConfig
from livered_core.engine.native import events_side_by_side, native_source
from livered_core.recording import open_recording
from livered_core.sources.base import ChunkConsumer
from recording_support import to_bytes

A_PULSE, N = 100_000, 25
MORE = BLOCK_EVENTS // A_PULSE * A_PULSE


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """2.5 million events, in pulses that do not fill a block to its last event."""
    path = tmp_path_factory.mktemp("blocks") / "run.adara"
    pulses = [banked(index, pixels=range(A_PULSE)) for index in range(N)]
    path.write_bytes(to_bytes([new_run(5), *pulses, end_run(5)]))
    return path


@pytest.mark.parametrize(
    ("engine", "sizes"),
    [
        (EngineConfig(), [MORE, N * A_PULSE - MORE]),
        (EngineConfig(executor="dask", block_events=4_000_000), [N * A_PULSE]),
        (EngineConfig(executor="dask", block_events=2_350_000), [2_300_000, N * A_PULSE - 2_300_000]),
    ],
    ids=["single", "larger", "between"],
)
def test_a_chunk_has_as_many_events_as_workers_want(recording, engine, sizes):
    most = 20_000_000 if engine.executor == "single" else engine.block_events
    config = Config(instrument="TST", update_every=600.0, max_chunk_events=most, engine=engine)
    consumer = Mock(spec=ChunkConsumer, **{"replay_wanted.return_value": ""})
    native_source(config, SystemClock(), open_recording(recording)).run(consumer, threading.Event())
    assert [call.args[0].n_events for call in consumer.take_chunk.call_args_list] == sizes


def test_few_events_in_a_chunk_make_no_small_blocks():
    few = attrs.evolve(EngineConfig(), executor="dask", block_events=10)
    assert events_side_by_side(Config(instrument="TST", engine=few)) == BLOCK_EVENTS
