"""The keys of the configuration: types, defaults, limits, and what each is for.

The metadata of a field are ``help`` (one line for people), ``unit`` (empty where there is none) and, where the
text may hold ``{instrument}``, ``template``. ``docs/configuration.md`` is generated from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from livered_core.config.checkpoint import CheckpointConfig
from livered_core.config.dashboard import DashboardConfig
from livered_core.config.engine import EngineConfig
from livered_core.config.limits import LimitsConfig
from livered_core.config.mantid import MantidConfig
from livered_core.config.metadata import about
from livered_core.config.reload import ReloadConfig
from livered_core.config.service import ServiceConfig
from livered_core.config.simulate import SimulateConfig
from livered_core.config.validators import (
    above,
    at_least,
    in_order,
    is_address,
    is_hook_owners,
    is_instrument_name,
    is_utc_time,
)

Backend = Literal["auto", "native", "mantid"]
RunTransition = Literal["restart", "stop", "keep"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
LogFormat = Literal["text", "json"]


@attrs.frozen
class SourceConfig:
    """How the connection to the data stream is kept.

    Attributes
    ----------
    connect_timeout, silence_timeout
        Seconds until an attempt to connect is given up, and until a silent connection counts as lost.
    retry_first, retry_longest
        Seconds before the first and at most before any new attempt.
    queue_events
        Most events that wait between reader and reduction.
    keep_paused, leave_out_vetoed, leave_out_partial, add_tof_offset
        Which pulses are taken, and how; see `livered_core.chunking.selection.PulseSelection`.
    """

    connect_timeout: float = attrs.field(
        default=10.0,
        validator=above(0),
        metadata=about("give up an attempt to connect after this time", "s"),
    )
    silence_timeout: float = attrs.field(
        default=30.0,
        validator=above(0),
        metadata=about("count a connection as lost when nothing at all arrives for this time", "s"),
    )
    retry_first: float = attrs.field(
        default=1.0,
        validator=above(0),
        metadata=about("wait before the first new attempt; it doubles from one to the next", "s"),
    )
    retry_longest: float = attrs.field(
        default=60.0, validator=above(0), metadata=about("longest wait between two attempts", "s")
    )
    queue_events: int = attrs.field(
        default=4_000_000,
        validator=at_least(1),
        metadata=about(
            "most events that wait between reader and reduction; beyond it the socket is not read", "events"
        ),
    )

    keep_paused: bool = attrs.field(
        default=False, metadata=about("take data that come while the run is paused, too")
    )
    leave_out_vetoed: bool = attrs.field(
        default=False, metadata=about("leave out pulses that the accelerator vetoed")
    )
    leave_out_partial: bool = attrs.field(
        default=False, metadata=about("leave out pulses of which the server says that data are missing")
    )
    add_tof_offset: bool = attrs.field(
        default=False,
        metadata=about(
            "add the offset of frame skew to times of flight that lack it; the facility's NeXus files do not"
        ),
    )

    def __attrs_post_init__(self) -> None:
        in_order("retry_first", self.retry_first, "retry_longest", self.retry_longest)


@attrs.frozen
class HooksConfig:
    """How hooks are called.

    Attributes
    ----------
    max_consecutive_failures
        After so many failures of transforms in a row the session ends.
    owner
        Name of a transform hook to name of the plugin that owns it, where several plugins implement it.
    stop_timeout
        Seconds that a hook may take to come back when livered is asked to stop, and session_ended of all plugins.
    """

    max_consecutive_failures: int = attrs.field(
        default=5,
        validator=at_least(1),
        metadata=about("end the session with exit code 1 after so many chunks in a row failed"),
    )
    owner: Mapping[str, str] = attrs.field(
        factory=dict,
        validator=is_hook_owners,
        metadata=about(
            "plugin that owns a transform (process_chunk, accumulate, post_process) that several plugins implement"
        ),
    )
    stop_timeout: float = attrs.field(
        default=30.0,
        validator=above(0),
        metadata=about(
            "asked to stop, end without a hook that does not come back, or without the plugins' ends, after this time",
            "s",
        ),
    )


@attrs.frozen
class PublishConfig:
    """How results are handed to sinks.

    Attributes
    ----------
    retry_first, retry_longest
        Seconds before the first and at most before any new attempt of a sink that failed.
    stop_timeout
        Seconds that are left to sinks for final results when livered is asked to stop.
    give_up_after
        Hours after which a final result that a sink has not taken is given up; 0 for never.
    """

    retry_first: float = attrs.field(
        default=1.0,
        validator=above(0),
        metadata=about("wait before a sink that failed is tried again; it doubles each time", "s"),
    )
    retry_longest: float = attrs.field(
        default=300.0, validator=above(0), metadata=about("longest wait between two attempts of a sink", "s")
    )
    stop_timeout: float = attrs.field(
        default=20.0,
        validator=at_least(0),
        metadata=about(
            "time left to sinks for final results when asked to stop; what is not sent then is said, kept on disk, and "
            "sent at the next start",
            "s",
        ),
    )
    give_up_after: float = attrs.field(
        default=0.0,
        validator=at_least(0),
        metadata=about("give up a final result that a sink has not taken for this time; 0: never", "h"),
    )

    def __attrs_post_init__(self) -> None:
        in_order("retry_first", self.retry_first, "retry_longest", self.retry_longest)


@attrs.frozen
class LogConfig:
    """Where the log goes.

    Attributes
    ----------
    file
        The log file; a default is relative to the working directory.
    level
        Least severity that is written.
    format
        Lines for people, or one JSON object on each line.
    rate
        Lines of the same kind that are written in a minute; 0 for no limit.
    max_bytes, backups
        Size at which the file is rotated, bytes, and how many old files are kept.
    """

    file: Path = attrs.field(default=Path("livereduce.log"), metadata=about("the log file"))
    level: LogLevel = attrs.field(default="INFO", metadata=about("least severity that is written"))
    format: LogFormat = attrs.field(
        default="text", metadata=about("lines for people, or one JSON object on each line")
    )
    rate: int = attrs.field(
        default=10,
        validator=at_least(0),
        metadata=about(
            "lines of the same kind that are written in a minute; those beyond are counted; 0: no limit"
        ),
    )
    max_bytes: int = attrs.field(
        default=10_000_000,
        validator=at_least(10_000),
        metadata=about("size at which the file is rotated", "bytes"),
    )
    backups: int = attrs.field(
        default=5, validator=at_least(1), metadata=about("number of old log files that are kept")
    )


@attrs.frozen
class Config:
    """The whole configuration of a session. Paths are absolute when `structure` made it.

    Attributes
    ----------
    instrument
        Short name, as in ``--instrument``.
    backend
        What reads the stream: ``auto`` takes Mantid where it imports and the plugins can work with it, else livered
        itself.
    address
        ``host:port`` of the data stream; may be empty until a source needs it.
    from_start_of_run
        Begin with the start of the current run, instead of now.
    start_time
        ISO 8601, UTC; begin there instead (`from_start_of_run` does not count then).
    update_every
        Seconds between two updates of the curves, and shortest length of a chunk.
    max_chunk_events
        A chunk closes at this many events while history is replayed.
    run_transition
        What to do when a run ends.
    output_dir
        Folder for reduced files.
    source, mantid, hooks, publish, checkpoint, dashboard, engine, limits, log, reload, service, simulate
        Tables of their own.
    plugins
        Name of each plugin to its structured settings; None for a plugin that has none.
    """

    instrument: str = attrs.field(
        validator=is_instrument_name, metadata=about("short name of the instrument, as in --instrument")
    )
    backend: Backend = attrs.field(
        default="auto",
        metadata=about(
            "what reads the stream; auto takes Mantid where it imports and the plugins can work with it"
        ),
    )
    address: str = attrs.field(
        default="",
        validator=is_address,
        metadata=about("host:port of the data stream, usually the plugin's default"),
    )
    from_start_of_run: bool = attrs.field(
        default=True, metadata=about("begin with the start of the current run (false: with the data of now)")
    )
    start_time: str | None = attrs.field(
        default=None,
        validator=is_utc_time,
        metadata=about("begin at this time (ISO 8601, UTC) instead; from_start_of_run does not count then"),
    )
    update_every: float = attrs.field(
        default=30.0,
        validator=above(0),
        metadata=about("time between two updates of the curves, and shortest length of a chunk", "s"),
    )
    max_chunk_events: int = attrs.field(
        default=20_000_000,
        validator=at_least(1),
        metadata=about(
            "a chunk closes at this many events while history is replayed: bounds memory", "events"
        ),
    )
    run_transition: RunTransition = attrs.field(
        default="restart",
        metadata=about(
            "at the end of a run: restart with the next one, stop, or keep adding to the same curves"
        ),
    )
    output_dir: Path = attrs.field(
        default=Path("~/livered/{instrument}"), metadata=about("folder for reduced files", template=True)
    )
    source: SourceConfig = attrs.field(
        factory=SourceConfig, metadata=about("how the connection to the data stream is kept")
    )
    mantid: MantidConfig = attrs.field(
        factory=MantidConfig, metadata=about("how Mantid's StartLiveData is run (the mantid backend)")
    )
    hooks: HooksConfig = attrs.field(factory=HooksConfig, metadata=about("how plugins' hooks are called"))
    publish: PublishConfig = attrs.field(
        factory=PublishConfig, metadata=about("how results are handed to sinks")
    )
    checkpoint: CheckpointConfig = attrs.field(
        factory=CheckpointConfig,
        metadata=about("how the run in hand is kept on disk (the native backend)"),
    )
    dashboard: DashboardConfig = attrs.field(
        factory=DashboardConfig, metadata=about("where the page of `livered run --dashboard` is")
    )
    engine: EngineConfig = attrs.field(
        factory=EngineConfig, metadata=about("where process_chunk runs: in this process, or on workers")
    )
    limits: LimitsConfig = attrs.field(
        factory=LimitsConfig, metadata=about("how much memory and disk livered may take")
    )
    log: LogConfig = attrs.field(factory=LogConfig, metadata=about("where the log goes"))
    reload: ReloadConfig = attrs.field(
        factory=ReloadConfig,
        metadata=about("how changed plugins and settings are taken up while livered runs"),
    )
    service: ServiceConfig = attrs.field(
        factory=ServiceConfig, metadata=about("what `livered service install` writes into the unit")
    )
    simulate: SimulateConfig = attrs.field(
        factory=SimulateConfig, metadata=about("what the simulated beamline plays (--simulate)")
    )
    plugins: Mapping[str, Any] = attrs.field(
        factory=dict, metadata=about("a table for each plugin; naming one loads it")
    )
