"""What ``[plugins.publish_monitor]`` may hold, and the upload address made from it."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import attrs

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
        return "url must hold no user name or password: put them into credentials_file."
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
        TOML file with ``username`` and ``password``, readable by its owner alone.
    ca_file
        Certificates (PEM) of the authorities to trust, in place of the usual ones.
    timeout
        Longest time for one post, seconds.
    max_points
        Most points of a curve that are sent.
    min_interval
        Least time between two posts of one run, seconds; a final result does not wait.
    curves
        Labels of the curves to show; empty for all.
    final
        Post final results too. False leaves the page to the reduction that follows the run.
    """

    url: str = attrs.field(
        validator=_is_upload_url,
        metadata={"help": "Upload address with {instrument} and {run}.", "unit": ""},
    )
    credentials_file: Path = attrs.field(
        metadata={"help": "TOML file with username and password, mode 0600.", "unit": ""}
    )
    ca_file: Path | None = attrs.field(
        default=None,
        metadata={"help": "Certificates (PEM) to trust in place of the usual ones.", "unit": ""},
    )
    timeout: float = attrs.field(
        default=10.0,
        validator=[attrs.validators.gt(0), attrs.validators.le(600)],
        metadata={"help": "Longest time for one post.", "unit": "s"},
    )
    max_points: int = attrs.field(
        default=2000,
        validator=attrs.validators.ge(10),
        metadata={"help": "Most points of a curve that are sent; peaks are kept.", "unit": ""},
    )
    min_interval: float = attrs.field(
        default=10.0,
        validator=attrs.validators.ge(0),
        metadata={"help": "Least time between two posts of one run; final results do not wait.", "unit": "s"},
    )
    curves: tuple[str, ...] = attrs.field(
        default=(),
        metadata={"help": "Labels of the curves to show; empty for all.", "unit": ""},
    )
    final: bool = attrs.field(
        default=True,
        metadata={"help": "Post final results too.", "unit": ""},
    )


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
