"""How much memory and disk livered may take: the table ``[limits]``."""

from __future__ import annotations

import re
from typing import Any, Final

import attrs

from livered_core.config.metadata import about

_UNITS: Final = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 1 << 10,
    "MIB": 1 << 20,
    "GIB": 1 << 30,
    "TIB": 1 << 40,
}
_SIZE: Final = re.compile(r"(?P<number>[0-9]{1,15}(\.[0-9]{1,9})?)\s*(?P<unit>[A-Za-z]{0,3})")
_PERCENT: Final = re.compile(r"(?P<number>[0-9]{1,3}(\.[0-9]{1,9})?)\s*%")


def parse_size(value: int | str) -> int:
    """Read a size as people write it.

    Parameters
    ----------
    value
        A number of bytes, or a text such as ``"500 MB"`` or ``"2 GiB"``; MB are millions of bytes, MiB are 1024 KiB.

    Returns
    -------
    int
        Bytes.

    Raises
    ------
    ValueError
        When it is something else; the message goes on after the name of the key.
    """
    text = str(value).strip()
    match = _SIZE.fullmatch(text)
    factor = None if match is None else _UNITS.get(match["unit"].upper())
    if match is None or factor is None:
        message = f'must be a number of bytes or a size such as "500 MB" or "2 GB", not {value!r}'
        raise ValueError(message)
    return round(float(match["number"]) * factor) if "." in match["number"] else int(match["number"]) * factor


def parse_share(value: int | str) -> float | None:
    """Read per cent: 0.7 of ``"70%"``; None where it is not written with a sign of per cent.

    Raises
    ------
    ValueError
        When it is not from 1 % to 100 %; the message goes on after the name of the key.
    """
    if not isinstance(value, str) or "%" not in value:
        return None
    match = _PERCENT.fullmatch(value.strip())
    share = float(match["number"]) / 100.0 if match is not None else 0.0
    if not 0.01 <= share <= 1.0:
        message = f"must be from 1% to 100%, not {value!r}"
        raise ValueError(message)
    return share


def _is_size(_config: Any, _attribute: Any, value: int | str) -> None:
    parse_size(value)


def _is_memory(_config: Any, _attribute: Any, value: int | str) -> None:
    if parse_share(value) is None:
        try:
            parse_size(value)
        except ValueError:
            message = (
                f'must be per cent such as "70%", a number of bytes, or a size such as "4 GB", not {value!r}'
            )
            raise ValueError(message) from None


@attrs.frozen
class LimitsConfig:
    """How much memory and disk livered may take. Sizes are numbers of bytes, or texts such as ``"4 GB"``.

    Attributes
    ----------
    memory
        Most memory: per cent of what this process may have, or a size; 0 for no limit.
    unsent
        Most disk for final results that sinks have not taken; 0 for no limit.
    outputs
        Most disk for reduced files that livered has written; 0 for no limit.
    disk_free
        What should stay free on the disk of the reduced files; 0 for nothing.
    """

    memory: int | str = attrs.field(
        default="70%",
        validator=_is_memory,
        metadata=about(
            'most memory, as per cent of what this process may have (the machine or its control group) or as "4 GB"; '
            "near it livered sheds, at it begins anew; 0: no limit",
            "bytes",
        ),
    )
    unsent: int | str = attrs.field(
        default="5 GB",
        validator=_is_size,
        metadata=about(
            "most disk for final results that sinks have not taken; beyond it the oldest are given up, and said; "
            "0: no limit",
            "bytes",
        ),
    )
    outputs: int | str = attrs.field(
        default=0,
        validator=_is_size,
        metadata=about(
            "most disk for the reduced files that livered writes while this is set; beyond it the oldest of them are "
            "removed; 0: none is ever removed",
            "bytes",
        ),
    )
    disk_free: int | str = attrs.field(
        default="500 MB",
        validator=_is_size,
        metadata=about(
            "with less than this free on the disk of the reduced files only final results are written; 0: always write",
            "bytes",
        ),
    )

    @property
    def unsent_bytes(self) -> int:
        """Most disk for final results that wait, bytes; 0 for no limit."""
        return parse_size(self.unsent)

    @property
    def outputs_bytes(self) -> int:
        """Most disk for reduced files, bytes; 0 for no limit."""
        return parse_size(self.outputs)

    @property
    def disk_free_bytes(self) -> int:
        """What should stay free on the disk of the reduced files, bytes."""
        return parse_size(self.disk_free)

    def memory_bytes(self, available: int) -> int:
        """Return the most memory, bytes; 0 for no limit.

        Parameters
        ----------
        available
            What this process may have at most, bytes; 0 when not known. A share of that is no limit.
        """
        share = parse_share(self.memory)
        return parse_size(self.memory) if share is None else int(share * available)
