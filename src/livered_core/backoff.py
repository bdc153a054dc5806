"""Waiting before trying again."""

from __future__ import annotations

import attrs


@attrs.frozen
class Backoff:
    """How long to wait before trying again: doubling from `first` to `longest` seconds, with jitter.

    Attributes
    ----------
    first, longest
        Seconds.
    """

    first: float
    longest: float

    def delay(self, failures: int, random_fraction: float) -> float:
        """Return the seconds to wait after so many failures in a row.

        Parameters
        ----------
        failures
            1 after the first failure.
        random_fraction
            In [0, 1): spreads the wait over the upper half of its length, so that clients do not come back
            together.
        """
        full = min(self.longest, self.first * 2.0 ** min(failures - 1, 60))
        return full * (0.5 + 0.5 * random_fraction)
