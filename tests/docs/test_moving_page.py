"""The page on moving from livereduce is true: its example is what the command prints, its tables are those of the settings."""

from __future__ import annotations

import json
import re
import shlex

from click.testing import CliRunner

from examples_support import REPOSITORY
from livered_core.cli import app
from livered_core.config.livereduce import KEYS
from livered_core.config.post_processing import KEYS as PUBLISHING_KEYS
from livered_core.config.reference import with_plugin_tables
from livered_core.config.toml import parse_toml
from livered_core.hooks.script_settings import ScriptsSettings
from livered_core.hooks.scripts import ACCUMULATION, RESULT

PAGE = (REPOSITORY / "docs" / "moving-from-livereduce.md").read_text(encoding="utf-8")


def block(mark: str, language: str) -> str:
    (text,) = re.findall(rf"^<!-- {mark} -->\n```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return text


def test_the_example_is_what_is_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "livereduce.conf").write_text(block("file: livereduce.conf", "json"))
    (tmp_path / "reduce_PG3_live_proc.py").write_text("output = input\n")
    _, *arguments = shlex.split(block("walk", "sh"))
    printed = CliRunner().invoke(app, arguments).stdout
    # Comments are wrapped by their length, of which the folder is a part.
    here = block("becomes", "toml").replace("HERE", str(tmp_path))
    assert re.sub(r"\n#   ", " ", printed) == re.sub(r"\n#   ", " ", here)


def test_every_command_and_option_named_is_there():
    lines = [line for text in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in text.splitlines()]
    assert len(lines) == 5
    for line in lines:
        _, *words = shlex.split(line)
        name = words[:2] if words[0] == "config" else words[:1]
        shown = CliRunner().invoke(app, [*name, "--help"]).output
        for word in words:
            assert not word.startswith("--") or word in shown, line


def test_every_key_is_accounted_for():
    for key in (*KEYS, *PUBLISHING_KEYS):
        assert f"`{key}`" in PAGE, key


def test_the_tables_are_those_of_the_settings():
    assert with_plugin_tables(PAGE, "scripts", ScriptsSettings) == PAGE, (
        "run: python -m livered_core.config.reference --plugin scripts "
        "livered_core.hooks.script_settings:ScriptsSettings docs/moving-from-livereduce.md"
    )


def test_names_and_settings_are_those_of_the_code():
    assert f"called `{ACCUMULATION}` and the result is to be called\n  `{RESULT}`" in PAGE
    for text in re.findall(r"```toml\n(.*?)```", PAGE.replace("\n  ", "\n"), re.DOTALL):
        parse_toml(text, "the page")
    settings = {field.name for field in ScriptsSettings.__attrs_attrs__}
    named = set(re.findall(r"`(\w+) = ", PAGE)) - {"backend"}
    assert named <= settings | {"output"}


def test_every_link_leads_somewhere():
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (REPOSITORY / "docs" / link).exists(), link


def test_the_example_is_json():
    assert json.loads(block("file: livereduce.conf", "json"))["instrument"] == "POWGEN"
