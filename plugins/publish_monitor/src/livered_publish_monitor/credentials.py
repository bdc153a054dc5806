"""The login, from a file that nobody else can read."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs

from livered_core import SinkUnavailable
from livered_publish_monitor.private_file import read_private

_FOLDER = "CREDENTIALS_DIRECTORY"
_KEYS = (("username", "password"), ("publisher_username", "publisher_password"))


@attrs.frozen
class Credentials:
    """A login. The password is in no representation.

    Attributes
    ----------
    username, password
        As the live data server knows them.
    """

    username: str
    password: str = attrs.field(repr=False)

    def form(self) -> dict[str, str]:
        """Return the form fields that carry the login."""
        return {"username": self.username, "password": self.password}


@attrs.frozen
class CredentialsSource:
    """Where the login is kept: in a file, or with systemd. One of the two is given.

    Attributes
    ----------
    file
        A file of the user that runs livered.
    systemd
        Name of a credential that systemd hands to the service (``LoadCredential=NAME:PATH``).
    """

    file: Path | None = None
    systemd: str = ""

    def __str__(self) -> str:
        return f"the systemd credential {self.systemd}" if self.file is None else str(self.file)

    def path(self, environ: Mapping[str, str] | None = None) -> Path:
        """Say which file holds the login.

        Raises
        ------
        SinkUnavailable
            When livered was not started by systemd with credentials.
        """
        if self.file is not None:
            return self.file
        folder = (os.environ if environ is None else environ).get(_FOLDER, "")
        if not folder:
            message = (
                f"There is no systemd credential {self.systemd}, because {_FOLDER} is not set: start livered as a service "
                f"with LoadCredential={self.systemd}:/path/of/the/file, or use credentials_file."
            )
            raise SinkUnavailable(message)
        return Path(folder) / self.systemd


def read_credentials(source: CredentialsSource, environ: Mapping[str, str] | None = None) -> Credentials:
    """Read a login: TOML with ``username`` and ``password``, or JSON as in a ``post_processing.conf``.

    Parameters
    ----------
    source
        Where it is kept.
    environ
        For ``CREDENTIALS_DIRECTORY``; the process's own by default.

    Raises
    ------
    SinkUnavailable
        When the file is missing, open to others, somebody else's, or not such a file. Nothing of its content
        is in the message.
    """
    path = source.path(environ)
    login = _parse(read_private(path, "credentials file", from_systemd=source.file is None))
    if login is None:
        message = (
            f"The credentials file {path} does not hold a login: write two lines of TOML, "
            'username = "..." and password = "...", or name a post_processing.conf with publisher_username and '
            "publisher_password."
        )
        raise SinkUnavailable(message)
    return login


def _parse(content: bytes) -> Credentials | None:
    table: Any
    try:
        text = content.decode("utf-8-sig")
        if text.lstrip().startswith("{"):
            table = json.loads(text)
        else:
            table = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli").loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(table, dict):
        return None
    for username_key, password_key in _KEYS:
        username, password = table.get(username_key), table.get(password_key)
        if isinstance(username, str) and username and isinstance(password, str) and password:
            # Half a surrogate pair, which JSON allows, cannot be sent.
            return Credentials(username, password) if _is_whole(username + password) else None
    return None


def _is_whole(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
