"""Settings of the dashboard that ``livered run --dashboard`` starts: the table ``[dashboard]``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from livered_core.config.metadata import about
from livered_core.config.validators import parse_address


def _is_host(_config: Any, _attribute: Any, value: str) -> None:
    try:
        parse_address(f"[{value}]:1" if ":" in value else f"{value}:1")
    except ValueError:
        message = f"must be the name or number of this machine to listen on, such as 127.0.0.1, not {value!r}"
        raise ValueError(message) from None


def _is_port(_config: Any, _attribute: Any, value: int) -> None:
    if not 0 <= value < 65536:
        message = f"must be a port from 1 to 65535, or 0 for any free one, not {value}"
        raise ValueError(message)


@attrs.frozen
class DashboardConfig:
    """Where the dashboard listens, and who may see it; the flags of ``livered dashboard`` have the same names.

    Attributes
    ----------
    host, port
        Address to listen on; port 0 is any free one.
    token_file
        A private file with the token that readers must give; None for none.
    """

    host: str = attrs.field(
        default="127.0.0.1",
        validator=_is_host,
        metadata=about("address to listen on; one that other machines can reach needs a token"),
    )
    port: int = attrs.field(
        default=8712, validator=_is_port, metadata=about("port to listen on; 0 takes a free one")
    )
    token_file: Path | None = attrs.field(
        default=None, metadata=about("file of mode 0600 with the token that readers must give")
    )
