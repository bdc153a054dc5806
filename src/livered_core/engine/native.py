"""The native source made of the configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from livered_core.backoff import Backoff
from livered_core.chunking.event_blocks import BLOCK_EVENTS
from livered_core.chunking.position import StreamPosition
from livered_core.chunking.selection import PulseSelection
from livered_core.chunking.stream_state import StreamState
from livered_core.clocks import Clock
from livered_core.config import Config
from livered_core.engine.request import start_request
from livered_core.errors import ConfigError
from livered_core.recording import Recording
from livered_core.sources.adara_connection import AdaraAddress
from livered_core.sources.adara_file import RecordingReader
from livered_core.sources.adara_tcp import AdaraReader
from livered_core.sources.base import Put
from livered_core.sources.native import NativeSettings, NativeSource


def native_settings(config: Config) -> NativeSettings:
    """Return what the configuration tells the native source."""
    return NativeSettings(
        instrument=config.instrument,
        update_every=config.update_every,
        max_chunk_events=config.max_chunk_events,
        queue_events=config.source.queue_events,
        patience_s=config.hooks.stop_timeout,
        selection=PulseSelection(
            not_before_ns=start_request(config).time_ns or 0,
            keep_paused=config.source.keep_paused,
            leave_out_vetoed=config.source.leave_out_vetoed,
            leave_out_partial=config.source.leave_out_partial,
            add_tof_offset=config.source.add_tof_offset,
        ),
    )


def events_side_by_side(config: Config) -> int:
    """Return how many events the reader puts side by side in memory: no fewer than workers want in a chunk."""
    return (
        BLOCK_EVENTS if config.engine.executor == "single" else max(BLOCK_EVENTS, config.engine.block_events)
    )


def native_source(
    config: Config,
    clock: Clock,
    recording: Recording | None = None,
    *,
    mark: Callable[[StreamPosition], None] = lambda _: None,
    over: Iterable[tuple[int, int]] = (),
) -> NativeSource:
    """Make the native source: of the stream at the configured address, or of a recording.

    Parameters
    ----------
    config, clock, recording
        The configuration, the clocks, and a recording in place of the stream.
    mark, over
        As of `NativeSource`.

    Raises
    ------
    ConfigError
        When there is no address.
    """
    settings, block_events = native_settings(config), events_side_by_side(config)
    if recording is not None:
        return NativeSource(settings, partial(RecordingReader, recording, block_events=block_events), clock)
    if not config.address:
        message = "address is empty: say where the data stream is, as host:port, or use --simulate."
        raise ConfigError(message)
    start = start_request(config)
    timeouts = (config.source.connect_timeout, config.source.silence_timeout)
    address = AdaraAddress.parse(config.address, *timeouts)
    backoff = Backoff(config.source.retry_first, config.source.retry_longest)

    def live(state: StreamState, put: Put) -> AdaraReader:
        return AdaraReader(address, start, state, put, clock, backoff, block_events)

    return NativeSource(settings, live, clock, mark, over)
