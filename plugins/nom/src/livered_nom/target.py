"""What other runs are reduced for: the bins, pixels and angles of the run in hand."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.references import content_key
from livered_nom.counts import Tables

CACHE_VERSION = 2
"""Raised when counts of the same events become others."""


@attrs.frozen(eq=False)
class Target:
    """What references are reduced for.

    Attributes
    ----------
    tables
        Of the run in hand.
    instrument
        Name of its instrument, as the instrument definition says it.
    definition_sha256
        Content of that definition; empty where there is none, as with Mantid.
    two_theta
        Mean scattering angle of each bank, radians.
    """

    tables: Tables
    instrument: str
    definition_sha256: str
    two_theta: tuple[float, ...]

    @property
    def key(self) -> str:
        """What the tables are made of."""
        parts: list[npt.NDArray[np.float64] | str | float] = [self.instrument]
        for table in (self.tables.d, self.tables.q, self.tables.view):
            parts += [table.rows, table.edges, table.tof_min_us, table.tof_max_us]
        return content_key(CACHE_VERSION, *parts)

    def is_of(self, instrument: str) -> bool:
        """Tell whether data of an instrument of this name belong to it.

        Names fit when one begins with the other (NOM, NOMAD), whatever the case: Mantid takes some from the file and
        not from the definition.
        """
        ours, theirs = self.instrument.strip().upper(), instrument.strip().upper()
        return bool(theirs) and (ours.startswith(theirs) or theirs.startswith(ours))
