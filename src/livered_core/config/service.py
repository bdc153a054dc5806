"""Settings of the service that ``livered service install`` writes: the table ``[service]``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs

from livered_core.config.limits import parse_share, parse_size
from livered_core.config.metadata import about

_CREDENTIAL = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_SHORTEST_WATCHDOG_S = 30.0
"""A watchdog that bites sooner would take a slow disk for a hanging reduction, seconds."""
_LONGEST_WATCHDOG_S = 86_400.0
"""What never bites before is no watchdog; systemd passes over what it cannot read, such as ``1e+06``."""
_MOST_CORES = 100_000


def _is_memory(_config: Any, _attribute: Any, value: int | str) -> None:
    if parse_share(value) is None:
        try:
            parse_size(value)
        except ValueError:
            message = (
                f'must be per cent such as "50%", a number of bytes, or a size such as "8 GB", not {value!r}'
            )
            raise ValueError(message) from None


def _is_watchdog(_config: Any, _attribute: Any, value: float) -> None:
    if value != 0 and not value >= _SHORTEST_WATCHDOG_S:
        message = f"must be {_SHORTEST_WATCHDOG_S:g} or more, or 0 for none, not {value:g}"
        raise ValueError(message)
    if value > _LONGEST_WATCHDOG_S:
        message = f"must be {_LONGEST_WATCHDOG_S:g} or less, or 0 for none, not {value:g}"
        raise ValueError(message)


def _are_cores(_config: Any, _attribute: Any, value: float) -> None:
    if not 0 <= value <= _MOST_CORES:
        message = f"must be 0 or more, and {_MOST_CORES} at most, not {value:g}"
        raise ValueError(message)


def _are_credentials(_config: Any, _attribute: Any, values: tuple[str, ...]) -> None:
    names = set()
    for value in values:
        name, _, path = value.partition(":")
        if not _CREDENTIAL.fullmatch(name) or not path.startswith(("/", "~/")):
            message = (
                "must hold texts such as monitor:~/secrets/monitor (a name of letters, digits, _, . and -, a colon, and "
                f"a path that begins with / or ~/), not {value!r}"
            )
            raise ValueError(message)
        if name in names:
            message = f"must name each credential once, and {name} stands twice"
            raise ValueError(message)
        names.add(name)


@attrs.frozen
class ServiceConfig:
    """What the unit of ``livered service install`` holds; it is read when the unit is written.

    Attributes
    ----------
    memory_max
        Most memory of the whole service: per cent of the machine, or a size as in `LimitsConfig`; 0 for no limit.
    cores
        Most CPU time, in cores; 0 for no limit.
    watchdog
        Seconds without progress after which systemd ends livered and starts it anew; 0 for never.
    working_directory
        Where it runs; None for the folder in which the unit is installed.
    dashboard
        Whether it starts the dashboard.
    load_credential
        ``name:path`` of each file that systemd hands over.
    """

    memory_max: int | str = attrs.field(
        default=0,
        validator=_is_memory,
        metadata=about(
            'most memory of the service, as per cent of the machine or as "8 GB"; beyond it the kernel ends livered, '
            "while [limits] ends it in time; 0: no limit",
            "bytes",
        ),
    )
    cores: float = attrs.field(
        default=0.0,
        validator=_are_cores,
        metadata=about("most CPU time of the service; 0: no limit", "cores"),
    )
    watchdog: float = attrs.field(
        default=900.0,
        validator=_is_watchdog,
        metadata=about(
            "without progress for this time systemd ends livered and starts it anew; 0: never; longer than any chunk takes",
            "s",
        ),
    )
    working_directory: Path | None = attrs.field(
        default=None,
        metadata=about(
            "where the service runs, and where livereduce.log goes; none: the folder in which it is installed",
            template=True,
        ),
    )
    dashboard: bool = attrs.field(default=False, metadata=about("start the dashboard, too"))
    load_credential: tuple[str, ...] = attrs.field(
        default=(),
        validator=_are_credentials,
        metadata=about(
            "name:path of each secret file that systemd hands to the service, for keys such as systemd_credential"
        ),
    )

    @property
    def memory_text(self) -> str:
        """Most memory, as systemd writes it; empty for no limit."""
        share = parse_share(self.memory_max)
        if share is not None:
            # systemd passes over a limit with more than two digits after the point.
            return f"{round(100 * share, 2):g}%"
        return str(parse_size(self.memory_max) or "")

    @property
    def credentials(self) -> tuple[tuple[str, str], ...]:
        """Name and path, as it was written, of each credential."""
        return tuple((name, path) for name, _, path in (text.partition(":") for text in self.load_credential))
