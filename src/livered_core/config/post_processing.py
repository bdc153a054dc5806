"""``post_processing.conf``, the settings of the client that posts to a live data server, as settings of livered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from livered_core.config.importing import Document, leave_out_unknown
from livered_core.config.toml import toml_value
from livered_core.errors import ConfigError

KEYS: Final = (
    "publish_url_template",
    "publish_url",
    "publisher_username",
    "publisher_password",
    "publisher_certificate",
)
"""The keys that are about publishing; the file may hold others, for other programs."""

_TABLE: Final = ("plugins", "publish_monitor")


@attrs.frozen
class Login:
    """The login of a live data server. The password is in no representation.

    Attributes
    ----------
    username, password
        As the server knows them.
    """

    username: str
    password: str = attrs.field(repr=False)

    def toml(self) -> str:
        """Return the content of the plugin's file of credentials."""
        return f"username = {toml_value(self.username)}\npassword = {toml_value(self.password)}\n"


def is_post_processing(values: Mapping[str, Any]) -> bool:
    """Tell whether a file is a ``post_processing.conf``."""
    return any(key in values for key in KEYS)


def import_post_processing(
    values: Mapping[str, Any], origin: str, credentials_file: str, document: Document
) -> Login | None:
    """Write what ``[plugins.publish_monitor]`` can take of a ``post_processing.conf`` into a document.

    Parameters
    ----------
    values
        What the file holds.
    origin
        The file, for sentences.
    credentials_file
        The name under which the login will be kept.
    document
        To be written to. The login is not.

    Returns
    -------
    Login or None
        The login, for a file of its own; None where the file has none.

    Raises
    ------
    ConfigError
        With a sentence for each wrong value, in which no value is.
    """
    problems = [
        f"{key} in {origin} must be text: correct it there."
        for key in KEYS
        if values.get(key) is not None and not isinstance(values[key], str)
    ]
    template = values.get("publish_url_template") or values.get("publish_url") or ""
    if not template:
        problems.append(f"{origin} has no publish_url_template: without it there is nowhere to publish to.")
    if problems:
        raise ConfigError(problems)
    url = re.sub(r"\$?\{run(_number)?\}", "{run}", re.sub(r"\$?\{instrument\}", "{instrument}", template))
    if "{run}" not in url:
        message = (
            f"The address in {origin} does not say where the run's number goes: write publish_url_template like "
            "https://host/plots/${instrument}/${run_number}/upload_plot_data/."
        )
        raise ConfigError(message)
    if re.search(r"://[^/]*@", url):
        message = f"The address in {origin} holds a login: take it out, and give publisher_username and publisher_password."
        raise ConfigError(message)
    document.set([*_TABLE, "url"], url)
    login = None
    if values.get("publisher_username") and values.get("publisher_password"):
        login = Login(values["publisher_username"], values["publisher_password"])
    document.set(
        [*_TABLE, "credentials_file"],
        credentials_file,
        "" if login else "to be made, with two lines, username and password; chmod 600",
    )
    if values.get("publisher_certificate"):
        document.leave_out(
            "publisher_certificate",
            "the server's certificate is always verified; where this one is of the authority to trust, name it as "
            f"ca_file in [{'.'.join(_TABLE)}], and where it is livered's own, as certificate_file.",
        )
    leave_out_unknown(document, values, KEYS)
    return login
