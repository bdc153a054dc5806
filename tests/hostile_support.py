"""Good data around hostile bytes, and what came of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from adara_support import banked, end_run, geometry, new_run, pulse_time, run_info
from livered_core.adara import encode
from livered_core.chunking.counts import PLACES, StreamCounts
from livered_core.chunking.intake import Intake
from livered_core.chunking.items import DataMissing, DefinitionSeen, Pulse, Remark
from livered_core.chunking.stream_state import StreamState
from livered_core.errors import ProtocolError
from livered_core.testing import HostileCase

N_BEFORE, N_AFTER = 20, 30
PROLOGUE = b"".join(map(encode, (geometry(), new_run(5), run_info(5))))
BEFORE = [encode(banked(index, pixels=range(index % 4))) for index in range(N_BEFORE)]
AFTER = [
    encode(banked(index, pixels=range(index % 4))) for index in range(N_BEFORE + 1, N_BEFORE + 1 + N_AFTER)
]
TIMES_BEFORE = [pulse_time(index) for index in range(N_BEFORE)]
TIMES_AFTER = [pulse_time(index) for index in range(N_BEFORE + 1, N_BEFORE + 1 + N_AFTER)]
END = encode(end_run(5))
HOSTILE_TIME = pulse_time(N_BEFORE)
PIECE = 1 << 18


@attrs.define
class Story:
    """What an intake said, without the columns."""

    pulses: Counter[int] = attrs.field(factory=Counter)
    kinds: Counter[str] = attrs.field(factory=Counter)
    remarks: list[str] = attrs.field(factory=list)
    missing: list[str] = attrs.field(factory=list)
    definitions: list[Any] = attrs.field(factory=list)
    raised: ProtocolError | None = None
    counts: StreamCounts = attrs.field(factory=StreamCounts)
    bytes_in: int = 0
    offset: int = 0
    pending: int = 0

    def note(self, items: Iterable[object]) -> None:
        for item in items:
            self.kinds[type(item).__name__] += 1
            if isinstance(item, Pulse):
                self.pulses[item.time_ns] += 1
            elif isinstance(item, Remark):
                self.remarks.append(item.sentence)
            elif isinstance(item, DataMissing):
                self.missing.append(item.sentence)
            elif isinstance(item, DefinitionSeen):
                self.definitions.append(item.definition)


def hostile_stream(case: HostileCase) -> Iterator[bytes]:
    """Good data, the hostile bytes, and good data again."""
    yield PROLOGUE + b"".join(BEFORE)
    yield from case.pieces(HOSTILE_TIME)
    yield b"".join(AFTER) + END


def pour(pieces: Iterable[bytes], *, tolerant: bool, piece_size: int = PIECE) -> Story:
    """Put bytes through an intake until they end, or it gives up."""
    intake = Intake(StreamState("TST"))
    intake.connection_opened(tolerant=tolerant)
    story = Story(counts=intake.state.counts)
    try:
        for piece in pieces:
            view = memoryview(piece)
            while view:
                room = intake.writable()
                n = min(len(view), len(room), piece_size)
                room[:n] = view[:n]
                view = view[n:]
                story.bytes_in += n
                story.note(intake.take(n))
        story.note(intake.finish())
    except ProtocolError as error:
        story.raised = error
    story.offset = intake.offset
    return story


def adds_up(counts: StreamCounts) -> bool:
    by_name = counts.by_name()
    return all(
        by_name[kind] == sum(by_name[f"{place}_{kind}"] for place in PLACES) for kind in ("pulses", "events")
    )
