"""What ``[plugins.publish_monitor]`` may hold, and the upload address made from it."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

import attrs

from livered_publish_monitor.credentials import CredentialsSource
from livered_publish_monitor.trust import Trust

_CREDENTIAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)
_PLACEHOLDER = re.compile(r"\$?\{(\w*)\}")
_INSTRUMENT = ("instrument",)
_RUN = ("run", "run_number")


def _is_upload_url(_settings: MonitorSettings, _attribute: attrs.Attribute[Any], template: str) -> None:
    problem = _url_problem(template)
    if problem:
        raise ValueError(problem)


def _url_problem(template: str) -> str:
    """Say what is wrong with an address, without repeating it: it might hold a password."""
    names = _PLACEHOLDER.findall(template)
    unknown = [name for name in names if name not in (*_INSTRUMENT, *_RUN)]
    if unknown or set("{}$") & set(_PLACEHOLDER.sub("", template)):
        return "url may hold {instrument} and {run} in braces, and no other brace or dollar sign."
    if not any(name in _RUN for name in names):
        return "url must hold {run}, for each run has a page of its own."
    try:
        parts = urlsplit(_PLACEHOLDER.sub("x", template))
        host = parts.hostname or ""
        port_is_number = parts.port is None or parts.port > 0
    except ValueError:
        return "url is not an address: write it like https://host/plots/{instrument}/{run}/upload_plot_data/."
    if parts.username is not None or parts.password is not None:
        return (
            "url must hold no user name or password: put them into a file, and name that as credentials_file."
        )
    if (
        parts.query
        or parts.fragment
        or not host
        or not port_is_number
        or re.search(r"[\s\x00-\x1f]", template)
    ):
        return "url is not an address: write it like https://host/plots/{instrument}/{run}/upload_plot_data/."
    if _PLACEHOLDER.search(urlsplit(template).netloc):
        return "url must name its host in full: {instrument} and {run} belong into the path."
    return _transport_problem(parts)


def _transport_problem(parts: SplitResult) -> str:
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        return ""
    if parts.scheme == "http":
        return "url must begin with https://: over http:// the password could be read by others on the way."
    return "url must begin with https://."


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@attrs.frozen
class MonitorSettings:
    """What ``[plugins.publish_monitor]`` may hold.

    Attributes
    ----------
    url
        Upload address with ``{instrument}`` and ``{run}`` (or ``${instrument}`` and ``${run_number}``). https,
        or http to this machine.
    credentials_file
        File with the login, readable by its owner alone: TOML with ``username`` and ``password``, or a
        ``post_processing.conf``.
    systemd_credential
        In its place, the name of a credential that systemd hands to the service, with the same content.
    ca_file
        Certificates (PEM) of the authorities to trust, in place of the usual ones.
    certificate_file, key_file
        Certificate of this client (PEM) and its key, for a server that wants one. The file with the key is readable
        by its owner alone; without `key_file`, the key is in `certificate_file`.
    timeout
        Longest time for one post, seconds.
    min_interval
        Least time between two posts of one run, seconds; a final result does not wait.
    final
        Post final results too. False leaves the page to the reduction that follows the run.
    layout
        ``"panels"``: figures one below the other; ``"tabs"``: one at a time.
    curves
        Labels of the curves to show; empty for all.
    images
        Draw two-dimensional views too; else they are named.
    max_points
        Most points of a curve that are sent.
    max_cells
        Most cells of a two-dimensional view that is drawn.
    max_bytes
        Largest page, bytes: above that, fewer points of each curve are sent.
    """

    url: str = attrs.field(
        validator=_is_upload_url,
        metadata={"help": "upload address with `{instrument}` and `{run}`; https, or http to this machine"},
    )
    credentials_file: Path | None = attrs.field(
        default=None,
        metadata={
            "help": "TOML file with `username` and `password`, or a post_processing.conf; yours, mode 0600"
        },
    )
    systemd_credential: str = attrs.field(
        default="",
        metadata={"help": "in its place: name of a credential that systemd hands over (`LoadCredential=`)"},
    )
    ca_file: Path | None = attrs.field(
        default=None,
        metadata={"help": "certificates (PEM) to trust in place of the usual ones"},
    )
    certificate_file: Path | None = attrs.field(
        default=None,
        metadata={"help": "certificate of this client (PEM), for a server that wants one"},
    )
    key_file: Path | None = attrs.field(
        default=None,
        metadata={
            "help": "its key, mode 0600, without a passphrase; not set where it is in `certificate_file`"
        },
    )
    timeout: float = attrs.field(
        default=10.0,
        validator=[attrs.validators.gt(0), attrs.validators.le(600)],
        metadata={"help": "longest time for one post", "unit": "s"},
    )
    min_interval: float = attrs.field(
        default=10.0,
        validator=attrs.validators.ge(0),
        metadata={"help": "least time between two posts of one run; final results do not wait", "unit": "s"},
    )
    final: bool = attrs.field(
        default=True,
        metadata={
            "help": "post final results too; false leaves the page to the reduction that follows the run"
        },
    )
    layout: Literal["panels", "tabs"] = attrs.field(
        default="panels",
        validator=attrs.validators.in_(("panels", "tabs")),
        metadata={"help": "figures one below the other, or one at a time"},
    )
    curves: tuple[str, ...] = attrs.field(
        default=(),
        metadata={"help": "labels of the curves to show; empty for all"},
    )
    images: bool = attrs.field(
        default=False,
        metadata={"help": "draw two-dimensional views too; else they are named"},
    )
    max_points: int = attrs.field(
        default=2000,
        validator=attrs.validators.ge(50),
        metadata={"help": "most points of a curve that are sent; peaks are kept", "unit": ""},
    )
    max_cells: int = attrs.field(
        default=20_000,
        validator=attrs.validators.ge(1),
        metadata={"help": "most cells of a two-dimensional view that is drawn", "unit": ""},
    )
    max_bytes: int = attrs.field(
        default=500_000,
        validator=[attrs.validators.ge(20_000), attrs.validators.le(10_000_000)],
        metadata={"help": "largest page: above that, fewer points of each curve are sent", "unit": "bytes"},
    )

    def __attrs_post_init__(self) -> None:
        if (self.credentials_file is None) == (not self.systemd_credential):
            message = (
                "must have either credentials_file or systemd_credential, which say where the login is kept"
            )
            raise ValueError(message)
        if self.systemd_credential and not _CREDENTIAL.fullmatch(self.systemd_credential):
            message = "must have a systemd_credential of letters, digits, -, _ and ., as in LoadCredential=NAME:PATH"
            raise ValueError(message)
        if self.key_file is not None and self.certificate_file is None:
            message = "must have a certificate_file where it has a key_file"
            raise ValueError(message)

    @property
    def credentials(self) -> CredentialsSource:
        """Where the login is kept."""
        return CredentialsSource(self.credentials_file, self.systemd_credential)

    @property
    def trust(self) -> Trust:
        """What TLS needs to know."""
        return Trust(self.ca_file, self.certificate_file, self.key_file)


def upload_url(template: str, instrument: str, run_number: int) -> str:
    """Fill in an upload address.

    Parameters
    ----------
    template
        `MonitorSettings.url`.
    instrument
        Short name in any case; written in lower case, as the server keeps it.
    run_number
        Number of the run.

    Raises
    ------
    ValueError
        When the instrument's name holds anything but letters, digits and underscores: the server's addresses
        have no room for it.
    """
    if not re.fullmatch(r"\w+", instrument, re.ASCII):
        message = (
            f"The live data server takes no instrument name like {instrument!r}: use letters and digits."
        )
        raise ValueError(message)

    def value(match: re.Match[str]) -> str:
        return instrument.lower() if match[1] in _INSTRUMENT else str(run_number)

    return _PLACEHOLDER.sub(value, template)
