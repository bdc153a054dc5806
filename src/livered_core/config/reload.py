"""Settings of reloading: the table ``[reload]``."""

from __future__ import annotations

from typing import Literal

import attrs

from livered_core.config.metadata import about
from livered_core.config.validators import above

Accumulated = Literal["keep", "replay"]


@attrs.frozen
class ReloadConfig:
    """How changed plugins and settings are taken up while livered runs.

    Attributes
    ----------
    watch
        Whether livered looks at the files itself.
    every
        Seconds between two looks.
    accumulated
        What becomes of the data of the run in hand: ``"keep"``, or ``"replay"`` the run from its start.
    time_limit
        Seconds that loading and trying may take; the reduction waits meanwhile.
    """

    watch: bool = attrs.field(
        default=True,
        metadata=about("take up plugins and configuration files by themselves when their contents change"),
    )
    every: float = attrs.field(
        default=10.0,
        validator=above(0),
        metadata=about("time between two looks at the files; a change must be seen twice", "s"),
    )
    accumulated: Accumulated = attrs.field(
        default="keep",
        metadata=about(
            "what becomes of the run in hand when code or settings change: keep what is accumulated, "
            "or replay the run from its start"
        ),
    )
    time_limit: float = attrs.field(
        default=60.0,
        validator=above(0),
        metadata=about("give up loading and trying a change after this time", "s"),
    )
