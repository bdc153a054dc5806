"""Lists of detector ids: what they say, and handing them out."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.errors import GeometryError
from livered_core.geometry.document import children, describe, has_any, integer, quote

MAX_DETECTORS = 2**24
"""More detectors than any instrument has: a definition that asks for more is broken or hostile."""

Ids = npt.NDArray[np.int64]


def read_idlist(element: Element) -> Ids:
    """Expand an ``<idlist>``, or an ``<id>`` of it, with start, end and step, or with val.

    Parameters
    ----------
    element
        ``<idlist>`` with ``<id>`` children, or with the attributes of a range itself.

    Returns
    -------
    int64[n]
        The ids in the order in which they are given to detectors.

    Raises
    ------
    GeometryError
        When a range is empty, does not end at its end, or the list is longer than `MAX_DETECTORS`.
    """
    if "start" in element.attrib:
        return _expand(element)
    entries = list(children(element, "id"))
    if not entries:
        message = f"has {describe(element)}, which lists no ids."
        raise GeometryError(message)
    parts: list[Ids] = []
    total = 0
    for entry in entries:
        parts.append(_expand(entry))
        total += len(parts[-1])
        if total > MAX_DETECTORS:
            raise _too_long(element)
    return np.concatenate(parts)


def _expand(entry: Element) -> Ids:
    if "val" in entry.attrib:
        return np.array([integer(entry, "val")], np.int64)
    if not has_any(entry, "start"):
        message = f"has {describe(entry)} in a list of ids, which needs val, or start and end."
        raise GeometryError(message)
    start = integer(entry, "start")
    end = integer(entry, "end", start)
    step = integer(entry, "step", 1)
    if step == 0 or (end - start) % step or (end - start) // step < 0:
        message = f"has {describe(entry)}: the ids from start by step do not come to end."
        raise GeometryError(message)
    if (end - start) // step >= MAX_DETECTORS:
        raise _too_long(entry)
    return np.arange(start, end + (1 if step > 0 else -1), step, dtype=np.int64)


def _too_long(element: Element) -> GeometryError:
    return GeometryError(
        f"has {describe(element)} with more than {MAX_DETECTORS} ids, which no instrument has."
    )


@attrs.define
class IdCursor:
    """Gives the ids of a list to detectors in the order in which they are placed.

    Attributes
    ----------
    name
        The list's idname; None before a component has named a list.
    ids
        int64[n].
    used
        How many have been given out.
    """

    name: str | None = None
    ids: Ids = attrs.field(factory=lambda: np.empty(0, np.int64))
    used: int = 0

    def take(self, count: int, component: str) -> Ids:
        """Give out the next ids.

        Parameters
        ----------
        count
            How many.
        component
            The component whose detectors want them, for the message.

        Raises
        ------
        GeometryError
            When there is no list, or fewer are left.
        """
        if self.name is None:
            message = f"has detectors in {component} but names no idlist for them."
            raise GeometryError(message)
        if self.used + count > len(self.ids):
            message = f"has more detectors in {component} than its idlist {quote(self.name)} has ids ({len(self.ids)})."
            raise GeometryError(message)
        taken = self.ids[self.used : self.used + count]
        self.used += count
        return taken

    def check_exhausted(self, component: str) -> None:
        """Refuse ids that no detector wanted.

        Raises
        ------
        GeometryError
            When some are left: ids would stand at the wrong pixels.
        """
        if self.used != len(self.ids):
            message = f"has {len(self.ids)} ids in the idlist {quote(self.name or '')} for {self.used} detectors in {component}."
            raise GeometryError(message)
