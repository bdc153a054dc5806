"""What a source of chunks is, and what it feeds."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import attrs

from livered_core.chunking.items import StreamItem
from livered_core.chunking.stream_state import StreamState
from livered_core.model import Chunk, RunEndReason, RunInfo


class ChunkConsumer(Protocol):
    """What a source feeds: the pipeline. Called from one thread at a time.

    The order is: `run_began`, then any number of the others, then `run_ended`. What these methods raise ends the
    session.
    """

    def run_began(self, run: RunInfo, missing: str = "") -> None:
        """Begin a run; `missing` says why its data do not begin at its start."""

    def run_changed(self, run: RunInfo) -> None:
        """Take up what became known of the run."""

    def run_restarted(self, sentence: str) -> None:
        """Throw away what there is of the run: its data come again from their beginning; `sentence` says why."""

    def data_missing(self, sentence: str) -> None:
        """Note that data of the run were lost on the way."""

    def take_chunk(self, chunk: Chunk) -> None:
        """Take a chunk of the run, of at least one pulse."""

    def replay_wanted(self) -> str:
        """Say once why the run should come again from its start, if the source can do that; empty when not."""

    def update_due(self) -> None:
        """Make an update, if there is anything new; also called between runs."""

    def run_ended(self, reason: RunEndReason) -> None:
        """End the run, because it is over or the session is."""


class Connection(enum.Enum):
    """State of a source's connection."""

    CONNECTING = "connecting"
    WAITING = "waiting to connect again"
    CONNECTED = "connected"
    CLOSED = "closed"


@attrs.frozen
class ReaderStatus:
    """How a reader is doing: a snapshot.

    Attributes
    ----------
    connection
        State of the connection, or of the file.
    problem
        One sentence on why there is none; empty when there is.
    connects
        Connections made so far.
    silent_s
        Seconds since the accelerator or a pulse was heard of; None before the first.
    beam_off_s
        Seconds since a pulse with proton charge was received; None before the first.
    read_fraction
        How much of a recording has been read, 0 to 1; None for what is live.
    """

    connection: Connection = Connection.CONNECTING
    problem: str = ""
    connects: int = 0
    silent_s: float | None = None
    beam_off_s: float | None = None
    read_fraction: float | None = None


class StreamReader(Protocol):
    """Reads a stream and puts what it says."""

    @property
    def where(self) -> str:
        """What is read, for people: ``adara://localhost:31415``."""

    @property
    def status(self) -> ReaderStatus:
        """A snapshot; safe from any thread."""

    def read_until(self, stop: threading.Event) -> None:
        """Read until `stop` is set, nobody wants more, or there is no more; the body of a thread of its own.

        What it raises ends the session.
        """

    def replay(self) -> bool:
        """Have the run in hand come again from its start; false where that cannot be. Safe from any thread."""


Put = Callable[[Sequence[StreamItem]], bool]
"""Takes items in their order, waiting for room; false when nobody wants more."""
MakeReader = Callable[[StreamState, Put], StreamReader]
"""Makes the reader that keeps a state, which from then on belongs to the reader's thread."""


@attrs.frozen
class SourceStatus:
    """How a source is doing: a snapshot.

    Attributes
    ----------
    where
        Address or path, for people.
    connection
        State of the connection.
    problem
        One sentence on why it is not connected; empty when it is.
    run
        The run in hand as the source sees it; None between runs.
    paused
        Whether the run is paused.
    last_pulse_ns
        Newest pulse received, nanoseconds UTC; 0 before the first.
    silent_s
        Seconds since a pulse, of this run or none, or a word of the accelerator was received; None before the
        first.
    waiting_events
        Events received and not yet in a chunk that is being reduced.
    connects
        Connections made so far.
    counts
        What came in and where it went, by name.
    beam_off_s
        Seconds since a pulse with proton charge was received; None before the first.
    read_fraction
        How much of a recording has been read, 0 to 1; None for what is live.
    chunk_s
        How old data are that come in time, seconds, because they come in chunks of this length; 0 where they come
        one by one.
    turns
        How often the source's loop has turned: it stands still when the reduction hangs.
    patience_s
        Asked to stop, the loop turns or ends within this time, seconds, or it hangs; None where nobody can say.
    stuck
        Whether something holds on that cannot be ended, so that the process must not wait for it.
    """

    where: str
    connection: Connection
    problem: str
    run: RunInfo | None
    paused: bool
    last_pulse_ns: int
    silent_s: float | None
    waiting_events: int
    connects: int
    counts: Mapping[str, int]
    beam_off_s: float | None = None
    read_fraction: float | None = None
    chunk_s: float = 0.0
    turns: int = 0
    patience_s: float | None = None
    stuck: bool = False


class Source(Protocol):
    """A source of chunks."""

    def run(self, consumer: ChunkConsumer, stop: threading.Event) -> None:
        """Feed `consumer` until `stop` is set or there is no more, then end the run in hand and return.

        Called on the reduction thread; the consumer may be called from another one meanwhile. What the consumer
        raises ends the source and is passed on; troubles of the stream are not raised: the source connects again.
        """

    def status(self) -> SourceStatus:
        """Return a snapshot; safe from any thread."""
