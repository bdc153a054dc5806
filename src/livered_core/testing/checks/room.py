"""The check that there is room for the counts of a long run."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from livered_core.testing.checks.finding import Found, not_tried, ok, wrong
from livered_core.testing.checks.subject import Subject
from livered_core.testing.checks.values import arrays_of

_LEAST_BYTES: Final = 4


def room(subject: Subject) -> Found:
    """See that what is accumulated has room for the counts of a long run: 32 bits for each at least."""
    _ = subject.baseline
    chunks = [chunk for chunk in subject.chunks if chunk.n_events]
    if len(chunks) < 2:
        return not_tried("there are less than two chunks with events.")
    with subject.session() as session:
        first, second, both = (
            dict(arrays_of(session.reduce(some, subject.run).accumulated))
            for some in (chunks[:1], chunks[1:2], chunks[:2])
        )
    for path, array in both.items():
        if _is_narrow(array) and _is_sum(array, first.get(path), second.get(path)):
            most = np.iinfo(array.dtype).max if array.dtype.kind in "iu" else 2048
            return wrong(
                f"accumulated{path} is a sum of type {array.dtype}, which counts no further than {most:,}.",
                "Accumulate in int64 or float64.",
            )
    return ok("sums have 32 bits or more for each number.")


def _is_narrow(array: npt.NDArray[Any]) -> bool:
    return array.dtype.kind in "iuf" and array.dtype.itemsize < _LEAST_BYTES


def _is_sum(both: npt.NDArray[Any], first: Any, second: Any) -> bool:
    """Tell sums from flags, which may be as narrow as they are."""
    return (
        first is not None
        and second is not None
        and both.shape == first.shape == second.shape
        and bool(first.any() and second.any())
        and bool(np.array_equal(both, first + second))
    )
