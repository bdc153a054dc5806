"""TLS: whom to trust, and with which certificate to show who asks."""

from __future__ import annotations

import ssl
from pathlib import Path

import attrs
import httpx

from livered_core import SinkUnavailable
from livered_publish_monitor.private_file import read_private

Stamps = tuple[tuple[int, int, int], ...]


@attrs.frozen
class Trust:
    """What TLS needs to know. The server's certificate is always verified.

    Attributes
    ----------
    ca_file
        Certificates (PEM) of the authorities to trust, in place of the usual ones; None for those.
    certificate_file
        The client's certificate (PEM), for a server that wants one; None without.
    key_file
        Its key, not encrypted, in a private file; None where it is in `certificate_file`.
    """

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    def stamps(self) -> Stamps:
        """Give something that is another when a file was replaced: certificates are renewed while livered runs."""
        return tuple(map(_stamp, (self.ca_file, self.certificate_file, self.key_file)))

    def context(self) -> ssl.SSLContext:
        """Read the files.

        Raises
        ------
        SinkUnavailable
            When one cannot be read or used, or the key is open to others.
        """
        context = self._trusting()
        if self.certificate_file is not None:
            self._load_own(context, self.certificate_file)
        return context

    def _trusting(self) -> ssl.SSLContext:
        if self.ca_file is None:
            return httpx.create_ssl_context()
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:  # ssl.SSLError is one
            reason = error.strerror or "no certificates in it"
        message = f"The certificates in {self.ca_file} cannot be read ({reason}): name a PEM file as ca_file."
        raise SinkUnavailable(message)

    def _load_own(self, context: ssl.SSLContext, certificate_file: Path) -> None:
        key_file = self.key_file or certificate_file
        read_private(key_file, "key file")
        try:
            # Without a password of our own, an encrypted key would ask at the terminal.
            context.load_cert_chain(certificate_file, key_file, password=lambda: b"")
            return
        except OSError as error:
            is_encrypted = "PEM lib" in str(error) and b"ENCRYPTED" in _head(key_file)
            reason = "the key is encrypted" if is_encrypted else error.strerror or "they do not fit together"
        except ValueError:
            reason = "the key is encrypted"
        message = (
            f"The certificate in {certificate_file} cannot be used with the key in {key_file} ({reason}): name PEM files "
            "that belong together as certificate_file and key_file, the key without a passphrase."
        )
        raise SinkUnavailable(message)


def _stamp(path: Path | None) -> tuple[int, int, int]:
    try:
        status = None if path is None else path.stat()
    except OSError:
        status = None
    return (0, 0, 0) if status is None else (status.st_ino, status.st_mtime_ns, status.st_size)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(65536)
    except OSError:
        return b""
