"""What the imports of other programs' settings share: reading their JSON, and a TOML document with remarks."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from livered_core.config.toml import dotted, toml_value
from livered_core.errors import ConfigError
from livered_core.model.text import one_line


def read_json(path: Path) -> dict[str, Any]:
    """Read a file of JSON that holds an object.

    Raises
    ------
    ConfigError
        When it cannot be read or is no such file. Nothing of its content is in the sentence: there may be secrets.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror or error}): check the path and its permissions."
        raise ConfigError(message) from None
    except UnicodeDecodeError as error:
        message = f"{path} is not UTF-8 text (byte {error.start}): save it as UTF-8."
        raise ConfigError(message) from None
    except json.JSONDecodeError as error:
        what = f"{error.msg[:1].lower()}{error.msg[1:]}"
        message = f"{path} is not valid JSON on line {error.lineno}, column {error.colno}: {what}; correct it there."
        raise ConfigError(message) from None
    except (ValueError, RecursionError):
        message = f"{path} is not valid JSON: a number is too long, or it is nested too deep; correct it."
        raise ConfigError(message) from None
    if not isinstance(values, dict):
        message = f"{path} must hold an object, {{...}}: it is no configuration of livereduce."
        raise ConfigError(message)
    return values


class Document:
    """A TOML document that is made line by line, with remarks for people."""

    def __init__(self) -> None:
        self._tables: dict[tuple[str, ...], list[str]] = {(): []}
        self._left_out: dict[str, str] = {}

    @property
    def left_out(self) -> Sequence[str]:
        """Names of what was not carried over."""
        return tuple(self._left_out)

    def set(self, path: Sequence[str], value: Any, remark: str = "") -> None:
        """Set a key, given by its tables and its name."""
        line = f"{dotted(path[-1:])} = {toml_value(value)}"
        self._table(path[:-1]).append(f"{line}  # {one_line(remark)}" if remark else line)

    def comment_out(self, path: Sequence[str], value: Any, remark: str = "") -> None:
        """Write a key as a comment, that a person can make a key of."""
        self.set(path, value, remark)
        table = self._table(path[:-1])
        table[-1] = f"# {table[-1]}"

    def remark(self, table: Sequence[str], text: str) -> None:
        """Write a comment into a table."""
        self._table(table).extend(_comment(text))

    def leave_out(self, name: str, why: str) -> None:
        """Note what was not carried over, and why."""
        self._left_out[dotted([name])] = one_line(why)

    def text(self, heading: str) -> str:
        """Return the document."""
        parts = ["\n".join(_comment(heading))]
        for path, lines in self._tables.items():
            if lines:
                header = [f"[{dotted(path)}]"] if path else []
                # A table of which only remarks are left would be an empty table, which loads a plugin.
                if path and all(line.startswith("#") for line in lines):
                    header = [f"# [{dotted(path)}]"]
                parts.append("\n".join([*header, *lines]))
        if self._left_out:
            reasons = [line for name, why in self._left_out.items() for line in _comment(f"{name}: {why}")]
            parts.append("\n".join(["# Not carried over:", *reasons]))
        return "\n\n".join(parts) + "\n"

    def _table(self, path: Sequence[str]) -> list[str]:
        return self._tables.setdefault(tuple(path), [])


def _comment(text: str) -> list[str]:
    """Return lines of comment; a path or another long word is not broken."""
    options: Any = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.wrap(one_line(text), 100, initial_indent="# ", subsequent_indent="#   ", **options)


def leave_out_unknown(document: Document, values: Mapping[str, Any], known: Sequence[str]) -> None:
    """Note the keys that are not known."""
    for key in values:
        if key not in known:
            document.leave_out(key, "livered does not know this key.")
