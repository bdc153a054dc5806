"""Tables of all keys for documents, made of the classes.

``python -m livered_core.config.reference docs/configuration.md`` writes those of livered itself between the two marks
in that file; with ``--plugin nom livered_nom.settings:NomSettings`` before the file, those of a plugin.
"""

from __future__ import annotations

import importlib
import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from livered_core.config.schema import Config
from livered_core.config.toml import toml_value
from livered_core.config.wording import wanted

BEGIN = "<!-- The tables below are made of the classes: python -m livered_core.config.reference FILE -->"
BEGIN_PLUGIN = "<!-- The tables below are made of the classes: python -m livered_core.config.reference --plugin NAME CLASS FILE -->"
END = "<!-- End of the tables -->"


def reference_tables() -> str:
    """Write one Markdown table for each table of the configuration."""
    return "\n\n".join(_sections(Config, ())) + "\n"


def plugin_tables(name: str, settings_class: type[Any]) -> str:
    """Write one Markdown table for each table of a plugin's settings.

    Parameters
    ----------
    name
        The plugin's, as in ``[plugins.NAME]``.
    settings_class
        An attrs class whose fields have ``help`` in their metadata, and ``unit`` where there is one.
    """
    heading = f"### `[plugins.{name}]`"
    return "\n\n".join([heading, *_sections(settings_class, ("plugins", name))]) + "\n"


def _sections(kind: Any, path: tuple[str, ...]) -> list[str]:
    hints = typing.get_type_hints(kind)
    lines: list[str] = []
    below: list[str] = []
    about = ""
    for field in attrs.fields(kind):
        field_kind = hints[field.name]
        if isinstance(field_kind, type) and attrs.has(field_kind):
            heading = f"### `[{'.'.join((*path, field.name))}]`: {field.metadata['help']}"
            below += [heading, *_sections(field_kind, (*path, field.name))]
        elif field.name == "plugins" and not path:
            about = f"### `[plugins.NAME]`: {field.metadata['help']}"
        else:
            cells = (f"`{field.name}`", wanted(field_kind), _default(field), _meaning(field))
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    table = "\n".join(["| key | wants | default | meaning |", "|---|---|---|---|", *lines])
    closing = [
        about,
        "The keys are those of the plugin: see its own documentation, or `livered config show`.",
    ]
    return [table, *below, *(closing if about else [])]


def _default(field: attrs.Attribute[Any]) -> str:
    default = field.default
    if default is attrs.NOTHING:
        return "must be given"
    if default is None:
        return "not set"
    if hasattr(default, "factory"):
        default = default.factory()
    return f"`{toml_value(default)}`"


def _meaning(field: attrs.Attribute[Any]) -> str:
    unit = field.metadata.get("unit", "")
    return str(field.metadata["help"]) + (f" ({unit})" if unit else "")


def with_tables(document: str) -> str:
    """Put the tables of livered itself between the marks of a document.

    Raises
    ------
    ValueError
        When the document does not have both marks.
    """
    return _between(document, BEGIN, reference_tables())


def with_plugin_tables(document: str, name: str, settings_class: type[Any]) -> str:
    """Put the tables of a plugin between the marks of a document.

    Raises
    ------
    ValueError
        When the document does not have both marks.
    """
    return _between(document, BEGIN_PLUGIN, plugin_tables(name, settings_class))


def _between(document: str, mark: str, tables: str) -> str:
    before, begin, rest = document.partition(mark)
    _, end, after = rest.partition(END)
    if not begin or not end:
        message = f"The document has no place for the tables: it needs the lines {mark!r} and {END!r}."
        raise ValueError(message)
    return f"{before}{mark}\n\n{tables}\n{END}{after}"


def main(arguments: Sequence[str]) -> None:
    """Rewrite the tables in the files named."""
    plugin: tuple[str, type[Any]] | None = None
    if arguments and arguments[0] == "--plugin":
        module, _, class_name = arguments[2].partition(":")
        plugin = arguments[1], getattr(importlib.import_module(module), class_name)
        arguments = arguments[3:]
    for name in arguments:
        path = Path(name)
        text = path.read_text(encoding="utf-8")
        text = with_tables(text) if plugin is None else with_plugin_tables(text, *plugin)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
