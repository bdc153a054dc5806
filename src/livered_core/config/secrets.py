"""Secrets are never values of the configuration: find those that are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from livered_core.config.layers import EnvironmentText

_WORDS = ("password", "passwd", "passphrase", "secret", "token", "apikey", "credential", "privatekey")
# Keys that say where the secret is: a file, or a credential that the service manager hands over.
_REFERENCES = ("file", "path", "credential")
_IN_ADDRESS = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
_SEPARATOR = re.compile(r"[^a-z0-9]+")


def find_secrets(values: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Find values that are secrets, by the name of their key or as a password in an address.

    Parameters
    ----------
    values
        A table, list or value as TOML gives it.
    path
        Where it stands.

    Yields
    ------
    path
        Of the secret.
    what
        The rest of the sentence: what is wrong and what to do. The secret is not in it.
    """
    if isinstance(values, Mapping):
        for key, value in values.items():
            if names_secret(str(key)) and not isinstance(value, Mapping | bool):
                yield (
                    (*path, str(key)),
                    "looks like a secret, and secrets are not kept in the configuration: put it into a file that "
                    f"only you can read (chmod 600) and name that file, as {key}_file if the plugin has that key",
                )
            else:
                yield from find_secrets(value, (*path, str(key)))
    elif isinstance(values, list | tuple):
        for index, value in enumerate(values):
            yield from find_secrets(value, (*path, index))
    elif isinstance(values, EnvironmentText) and not isinstance(values.as_toml().get("value", ""), str):
        yield from find_secrets(values.as_toml()["value"], path)
    elif isinstance(values, str) and _IN_ADDRESS.search(values):
        yield (
            path,
            "holds a password in an address, and secrets are not kept in the configuration: take it out of the "
            "address and use the plugin's reference to a file",
        )


def names_secret(key: str) -> bool:
    """Tell whether a key of this name would hold a secret, and not a reference to one."""
    parts = [part for part in _SEPARATOR.split(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower()) if part]
    if len(parts) > 1 and parts[-1] in _REFERENCES:
        return False
    return mentions_secret("".join(parts))


def mentions_secret(text: str) -> bool:
    """Tell whether a text has a word for secrets in it, so that it is better not repeated."""
    joined = _SEPARATOR.sub("", text.lower())
    return any(word in joined for word in _WORDS)
