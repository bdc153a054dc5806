"""Settings of the checkpoints: the table ``[checkpoint]``."""

from __future__ import annotations

import attrs

from livered_core.config.metadata import about
from livered_core.config.validators import above, at_least


@attrs.frozen
class CheckpointConfig:
    """How the run in hand is kept on disk, so that it goes on after a crash (the native backend).

    Attributes
    ----------
    enabled
        Keep it. Without, a run is replayed from its start.
    every
        Shortest time from one checkpoint to the next, seconds.
    max_bytes
        Largest checkpoint, bytes.
    """

    enabled: bool = attrs.field(
        default=True,
        metadata=about(
            "keep the run in hand on disk, so that it goes on after a crash; false: it is replayed"
        ),
    )
    every: float = attrs.field(
        default=30.0,
        validator=above(0),
        metadata=about("shortest time from one checkpoint to the next; a slow disk makes it longer", "s"),
    )
    max_bytes: int = attrs.field(
        default=512 * 1024**2,
        validator=at_least(1024**2),
        metadata=about("largest checkpoint; of a run with more the start is replayed. Two are kept", "bytes"),
    )
