"""The login, from a file that nobody else can read."""

from __future__ import annotations

import os
import stat
import sys
from importlib import import_module
from pathlib import Path

import attrs

from livered_core import SinkUnavailable

_LARGEST = 65536


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


def read_credentials(path: Path) -> Credentials:
    """Read a login from a TOML file with ``username`` and ``password``.

    Parameters
    ----------
    path
        A file of the user that runs livered, with no right for anyone else.

    Raises
    ------
    SinkUnavailable
        When the file is missing, open to others, somebody else's, or not such a file. Nothing of its content
        is in the message.
    """
    problem, content = _read_private(path)
    if problem:
        raise SinkUnavailable(problem)
    login = _parse(content)
    if login is None:
        message = (
            f"The credentials file {path} does not hold a login: write two lines of TOML, "
            'username = "..." and password = "...".'
        )
        raise SinkUnavailable(message)
    return login


def _read_private(path: Path) -> tuple[str, bytes]:
    """Give what is wrong (or "") and the content; the rights are those of the file that is read."""
    try:
        # O_NONBLOCK: a named pipe must not hang the publish thread.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        return (
            f"The credentials file {path} cannot be read ({error.strerror}): create it or name another one.",
            b"",
        )
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return f"The credentials file {path} is not a file: name another one.", b""
        if status.st_uid != os.geteuid():
            return f"The credentials file {path} belongs to another user: make a copy of your own.", b""
        if status.st_mode & 0o077:
            mode = stat.S_IMODE(status.st_mode)
            return f"The credentials file {path} is open to others (mode {mode:04o}): chmod 600 {path}", b""
        return "", os.read(descriptor, _LARGEST)
    finally:
        os.close(descriptor)


def _parse(content: bytes) -> Credentials | None:
    toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        table = toml.loads(content.decode())
    except ValueError:
        return None
    username, password = table.get("username"), table.get("password")
    if not (isinstance(username, str) and username and isinstance(password, str) and password):
        return None
    return Credentials(username, password)
