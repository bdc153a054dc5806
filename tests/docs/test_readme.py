"""The README is true: its code is the example's, its configuration loads, its commands and links are there."""

from __future__ import annotations

import re
import runpy
from importlib.metadata import entry_points

import pytest
from click.testing import CliRunner

from examples_support import REPOSITORY
from livered_core.cli import app
from livered_core.engine.setup import load_configuration

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
FILL_IN = runpy.run_path(str(REPOSITORY / "docs" / "tools" / "fill_in_files.py"))["filled"]


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_plugin_shown_is_the_example():
    assert FILL_IN(README) == README, "run: python docs/tools/fill_in_files.py README.md"


def test_the_configuration_shown_loads(tmp_path):
    if not any(point.name == "NOM" for point in entry_points(group="livered.instruments")):
        pytest.skip("needs the NOM plugin")
    (settings,) = [block for block in blocks("toml") if "update_every" in block]
    file = tmp_path / "c.toml"
    file.write_text(settings)
    config = load_configuration("NOM", file, {}, {"HOME": str(tmp_path)}).config
    assert config.update_every == 10.0
    assert config.output_dir == tmp_path / "reduced" / "NOM"
    assert set(config.plugins) == {"nom", "files", "publish_monitor"}


def test_the_make_targets_named_are_there():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`?make ([a-z]+)", README)):
        if target not in ("it", "names"):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_options_named_are_there():
    for command, rest in re.findall(
        r"livered (run|check|simulate|config show)((?: --?[a-z-]+(?: [A-Z]+)?)*)", README
    ):
        text = CliRunner().invoke(app, [*command.split(), "--help"]).output
        for option in re.findall(r"--[a-z-]+", rest):
            assert option in text, (command, option)


def test_every_link_leads_somewhere():
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (REPOSITORY / link).exists(), link
