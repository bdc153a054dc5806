"""Where the Bragg peaks of a cubic crystal stand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import permutations, product
from typing import Final

import attrs

from livered_core.errors import DataModelError

DIAMOND_A: Final = 3.5671
"""Lattice constant of diamond at room temperature, Angstrom: NOMAD's calibrant."""

MAX_REFLECTION_INDEX = 200
"""Reflections with larger indices are not listed: nothing resolves them."""


@attrs.frozen
class Reflection:
    """A Bragg reflection.

    Attributes
    ----------
    hkl
        Miller indices, h >= k >= l >= 0. Where others have the same d (333 and 511), those of the largest h.
    d
        Distance of the lattice planes, Angstrom.
    multiplicity
        How many planes (h, k, l), signs and orders counted, have this d.
    """

    hkl: tuple[int, int, int]
    d: float
    multiplicity: int


def _diamond(h: int, k: int, l: int) -> bool:  # noqa: E741  (the name it has)
    parities = {h % 2, k % 2, l % 2}
    return len(parities) == 1 and (h % 2 == 1 or (h + k + l) % 4 == 0)


def _face_centred(h: int, k: int, l: int) -> bool:  # noqa: E741
    return len({h % 2, k % 2, l % 2}) == 1


def _body_centred(h: int, k: int, l: int) -> bool:  # noqa: E741
    return (h + k + l) % 2 == 0


def _primitive(_h: int, _k: int, _l: int) -> bool:
    return True


_ALLOWED: Final[Mapping[str, Callable[[int, int, int], bool]]] = {
    "diamond": _diamond,
    "fcc": _face_centred,
    "bcc": _body_centred,
    "sc": _primitive,
}


def cubic_reflections(
    a: float, structure: str, d_min: float, d_max: float = math.inf
) -> tuple[Reflection, ...]:
    """List the reflections of a cubic crystal.

    Parameters
    ----------
    a
        Lattice constant, Angstrom.
    structure
        ``"diamond"`` (atoms on 8a of Fd-3m: h, k, l all odd, or all even with h + k + l = 4n), ``"fcc"`` (all
        odd or all even), ``"bcc"`` (h + k + l even) or ``"sc"`` (all).
    d_min, d_max
        Range of d, Angstrom, both ends included.

    Returns
    -------
    tuple of Reflection
        From the largest d to the smallest; each d once.

    Raises
    ------
    DataModelError
        When the structure is not known, or the numbers are not positive, or d_min is absurdly small.

    References
    ----------
    International Tables for Crystallography, volume A: Fd-3m (227) position 8a, Fm-3m (225), Im-3m (229).
    """
    allowed = _ALLOWED.get(structure)
    if allowed is None:
        message = f"There are no reflections for structure {structure!r}: give one of {', '.join(_ALLOWED)}."
        raise DataModelError(message)
    if not (0 < a < math.inf and 0 < d_min <= d_max):
        message = (
            f"Reflections with a = {a} from d = {d_min} to {d_max} are not possible: give 0 < d_min <= d_max."
        )
        raise DataModelError(message)
    largest = int(a / d_min)
    if largest > MAX_REFLECTION_INDEX:
        message = f"Reflections down to d = {d_min} are too many for a = {a}: give a larger d_min."
        raise DataModelError(message)
    found: dict[int, Reflection] = {}
    for h in range(1, largest + 1):
        for k in range(h + 1):
            for l in range(k + 1):  # noqa: E741
                square = h * h + k * k + l * l
                d = a / math.sqrt(square)
                if not d_min <= d <= d_max or not allowed(h, k, l):
                    continue
                before = found[square].multiplicity if square in found else 0
                found[square] = Reflection((h, k, l), d, before + _multiplicity((h, k, l)))
    return tuple(found[square] for square in sorted(found))


def nearest_reflection(d: float, reflections: Sequence[Reflection]) -> Reflection | None:
    """Return the reflection whose d is nearest, relatively; None where there are no reflections.

    Parameters
    ----------
    d
        Position of a peak, Angstrom, above 0.
    reflections
        The candidates, in any order.
    """
    return min(reflections, key=lambda reflection: abs(math.log(d / reflection.d)), default=None)


def _multiplicity(hkl: tuple[int, int, int]) -> int:
    signed = product(*((index, -index) for index in hkl))
    return len({order for signs in signed for order in permutations(signs)})
