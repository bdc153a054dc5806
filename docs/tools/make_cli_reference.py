"""Make ``docs/cli.md`` of the commands themselves.

``python docs/tools/make_cli_reference.py``; a test says when the page is not what this makes.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from livered_core.cli import app

TARGET = Path(__file__).parents[1] / "cli.md"

HEAD = """\
# Commands

<!-- Made of the commands by docs/tools/make_cli_reference.py: edit their help, and run it. -->

Each command says the same with `--help` (`-h`). All exit codes together are in [one table](exit-codes.md).

An option that stands for a key of the [configuration](configuration.md) (`--update-every` for `update_every`) wins over
all files and over the environment variable of that key (`LIVERED_UPDATE_EVERY`); where it has no default here, the
configuration's holds. `livered config show` says where each value is from.

## Environment variables

No option has an environment variable of its own. These count for all commands:

| variable | what it does |
|---|---|
| `LIVERED_INSTRUMENT` | the instrument, where `--instrument` is left out |
| `LIVERED_KEY`, `LIVERED_TABLE__KEY` | a key of the [configuration](configuration.md#environment-variables) |
| `XDG_RUNTIME_DIR` | where the [run directory](run-directory.md) is; `/tmp/livered-UID` without it |
| `XDG_CONFIG_HOME` | in place of `~/.config` |
| `XDG_STATE_HOME` | in place of `~/.local/state`: checkpoints and results that wait |
| `XDG_CACHE_HOME` | in place of `~/.cache`: references and caches |
"""


def reference() -> str:
    """Write the whole page.

    Raises
    ------
    ValueError
        When a command or an option has no help.
    """
    parts = [HEAD]
    for path, command, context in commands():
        parts.append("\n\n".join(section(path, command, context)) + "\n")
    return "\n".join(parts)


def commands() -> Iterator[tuple[str, click.Command, click.Context]]:
    """Give each command with its whole name, such as ``livered config show``, groups before what is in them."""

    def within(
        command: click.Command, name: str, parent: click.Context | None
    ) -> Iterator[tuple[str, click.Command, click.Context]]:
        # Written for a terminal of this width, whatever the one is in which this runs.
        context = click.Context(
            command, info_name=name, parent=parent, terminal_width=100, **command.context_settings
        )
        yield context.command_path, command, context
        if isinstance(command, click.Group):
            for sub in command.list_commands(context):
                found = command.get_command(context, sub)
                assert found is not None
                yield from within(found, sub, context)

    yield from within(app, "livered", None)


def section(path: str, command: click.Command, context: click.Context) -> Iterator[str]:
    """Write what there is to say of one command, piece by piece."""
    if not command.help:
        message = f"{path} has no help: write its docstring."
        raise ValueError(message)
    yield f"{'##' if path.count(' ') < 2 else '###'} `{path}`"
    usage = command.collect_usage_pieces(context)
    yield f"```text\n{path} {' '.join(usage)}\n```"
    yield from _prose(command.help)
    if isinstance(command, click.Group):
        rows = []
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            link = f"{path} {name}".replace(" ", "-")
            rows.append(f"| [`{name}`](#{link}) | {_cell(found.get_short_help_str(200))} |")
        yield "\n".join(["| command | what it does |", "|---|---|", *rows])
    rows = [row(path, option) for option in options(command, context)]
    if rows:
        yield "\n".join(["| option | default | what |", "|---|---|---|", *rows])
    if command.epilog:
        yield from _prose(command.epilog)


def options(command: click.Command, context: click.Context) -> list[click.Option]:
    """Give the options of a command but ``--help``."""
    return [
        option
        for option in command.get_params(context)
        if isinstance(option, click.Option) and not option.hidden and "--help" not in option.opts
    ]


def row(path: str, option: click.Option) -> str:
    """Write the line of one option.

    Raises
    ------
    ValueError
        When it has no help.
    """
    if not option.help:
        message = f"{path} {option.opts[0]} has no help: write some."
        raise ValueError(message)
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    wants = "" if option.is_flag else f" `{_wants(option)}`"
    return f"| {names}{wants} | {_default(option)} | {_cell(option.help)} |"


def _wants(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return " or ".join(map(str, option.type.choices))
    return option.metavar or str(option.type.name).removesuffix(" range").upper()


def _default(option: click.Option) -> str:
    if option.required:
        return "must be given"
    if option.secondary_opts:
        return f"`{option.opts[0] if option.default else option.secondary_opts[0]}`"
    # Without a default the attribute is None, or in some versions of click an object that says so.
    given: Any = option.default
    if option.is_flag or not isinstance(given, (str, int, float)):
        return ""
    return f"`{given}`"


def _prose(text: str) -> Iterator[str]:
    r"""Write the text of a help; a paragraph after ``\b`` keeps its lines."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if not paragraph.strip():
            continue
        first, _, rest = paragraph.strip("\n").partition("\n")
        if first.strip() != "\b" and "  " not in paragraph:
            yield _marked(" ".join(paragraph.split()))
            continue
        kept = rest if first.strip() == "\b" else paragraph.strip("\n")
        head, _, body = kept.partition("\n")
        if body and not head.startswith(" "):
            yield head
            yield f"```text\n{inspect.cleandoc(body)}\n```"
        else:
            yield _marked(" ".join(kept.split()))


def _cell(text: str) -> str:
    return _marked(" ".join(text.split())).replace("|", "\\|").replace("<", "\\<")


def _marked(text: str) -> str:
    """Write options and files as code, and a command at the end of a paragraph."""
    text, colon, command = text.partition(": livered ")
    if colon:
        return f"{_marked(text)}: `livered {command}`"
    return re.sub(r"(?<![\w`/-])(--[a-z][a-z-]*|[~/][\w./~-]*\w)", r"`\1`", text)


def main() -> None:
    """Write the page."""
    TARGET.write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
