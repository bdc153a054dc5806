"""Where chunks are processed: the table ``[engine]``."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any, Literal

import attrs

from livered_core.config.metadata import about
from livered_core.config.validators import at_least, parse_address
from livered_core.errors import ConfigError

ExecutorName = Literal["single", "dask"]
_SCHEMES = ("tcp", "tls")


def _split(address: str) -> tuple[str, str]:
    """Return the scheme, ``tcp`` where none is given, and ``host:port``."""
    scheme, separator, rest = address.partition("://")
    return (scheme, rest) if separator else ("tcp", address)


def _is_scheduler(_config: Any, _attribute: Any, address: str) -> None:
    if not address:
        return
    scheme, rest = _split(address)
    if scheme not in _SCHEMES:
        message = f"must begin with tcp:// or tls://, not {address!r}"
        raise ValueError(message)
    try:
        parse_address(rest)
    except ConfigError as error:
        message = f"must be such as tls://scheduler.example:8786, not {address!r}: {error}"
        raise ValueError(message) from None


@attrs.frozen
class EngineConfig:
    """Where process_chunk runs: in this process, or on workers of Dask distributed.

    Attributes
    ----------
    executor
        ``"single"``: in this process; ``"dask"``: on workers, which process several chunks at the same time.
    scheduler
        Address of a scheduler of Dask that runs already; empty for workers of livered's own on this machine.
    workers
        How many workers of its own livered starts; 0 for as many as there are cores for it.
    blocks_in_flight
        Most chunks that are with the workers, or on the way; 0 for two for each worker.
    block_events
        A chunk closes at this many events, where the executor is dask.
    tls_ca, tls_cert, tls_key
        Files (PEM) for connections by TLS, in which both sides show a certificate of this authority. Without them
        workers of livered's own get certificates that are made at each start.
    allow_unencrypted
        Let a scheduler on another machine be reached without TLS, and workers of livered's own do without it.
    """

    executor: ExecutorName = attrs.field(
        default="single",
        metadata=about("where process_chunk runs: in this process, or on workers of Dask distributed"),
    )
    scheduler: str = attrs.field(
        default="",
        validator=_is_scheduler,
        metadata=about(
            "address of a running scheduler of Dask, such as tls://host:8786; empty: workers of its own on this machine"
        ),
    )
    workers: int = attrs.field(
        default=0,
        validator=at_least(0),
        metadata=about("workers of its own that livered starts; 0: as many as there are cores"),
    )
    blocks_in_flight: int = attrs.field(
        default=0,
        validator=at_least(0),
        metadata=about(
            "most chunks that are with the workers; beyond it the reduction waits, then the reader; "
            "0: two for each worker"
        ),
    )
    block_events: int = attrs.field(
        default=4_000_000,
        validator=at_least(1),
        metadata=about("a chunk closes at this many events where workers process it", "events"),
    )
    tls_ca: Path | None = attrs.field(
        default=None,
        metadata=about("file with the certificate of the authority that signed the others (PEM)"),
    )
    tls_cert: Path | None = attrs.field(
        default=None, metadata=about("file with livered's own certificate (PEM)")
    )
    tls_key: Path | None = attrs.field(
        default=None, metadata=about("file with the key of that certificate (PEM)")
    )
    allow_unencrypted: bool = attrs.field(
        default=False,
        metadata=about(
            "reach a scheduler on another machine, and workers of its own, without TLS: whoever is on the network between, or on this machine, can run code as livered"
        ),
    )

    def __attrs_post_init__(self) -> None:
        given = [path is not None for path in (self.tls_ca, self.tls_cert, self.tls_key)]
        if any(given) and not all(given):
            message = "tls_ca, tls_cert and tls_key belong together: give all three of them, or none"
            raise ValueError(message)
        if self.executor == "single" or not self.scheduler:
            return
        scheme, rest = _split(self.scheduler)
        if scheme == "tls" and not self.has_tls:
            message = f"scheduler ({self.scheduler}) needs tls_ca, tls_cert and tls_key"
            raise ValueError(message)
        host, _ = parse_address(rest)
        if scheme == "tcp" and not _is_loopback(host) and not self.allow_unencrypted:
            message = (
                f"scheduler ({self.scheduler}) is on another machine, and without TLS whoever is on the network between "
                "can run code as livered: use tls:// with tls_ca, tls_cert and tls_key, or set allow_unencrypted = true"
            )
            raise ValueError(message)

    @property
    def has_tls(self) -> bool:
        """Whether connections are by TLS."""
        return self.tls_ca is not None

    @property
    def scheduler_url(self) -> str:
        """The scheduler's address with its scheme; empty where livered starts workers of its own."""
        return "{}://{}".format(*_split(self.scheduler)) if self.scheduler else ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
