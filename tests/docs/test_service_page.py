"""The page on the service is true: commands, options, keys and lines of the unit are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from examples_support import REPOSITORY
from livered_core.cli import app
from livered_core.config import Layer, ServiceConfig, merge, parse_layer, structure
from livered_core.service.unit import ServiceUnit, unit_text

PAGE = (REPOSITORY / "docs" / "service.md").read_text(encoding="utf-8")


def test_each_line_of_the_unit_is_explained_and_no_other():
    unit = ServiceUnit(
        instrument="NOM",
        python=Path("/env/bin/python"),
        module=("-m", "livered_core"),
        host="bl1b",
        working_directory=Path("/home/nom/live"),
        check=("check",),
        run=("run",),
        stop_timeout=140.0,
        memory_max="50%",
        cores=2.0,
        credentials=(("monitor", Path("/key")),),
    )
    table = PAGE.partition("## Each line of the unit")[2].partition("What is not there")[0]
    explained = re.findall(r"`([A-Za-z]+)=`", "".join(re.findall(r"(?m)^\|([^|]+)\|", table)))
    there = re.findall(r"(?m)^([A-Za-z]+)=", unit_text(unit))
    assert explained
    assert sorted(explained) == sorted(there)
    left_out = re.findall(r"`([A-Za-z]+)=`", PAGE.partition("What is not there")[2])
    assert not set(left_out) & set(there)


def test_every_command_and_option_is_there():
    commands = set(re.findall(r"livered service ([a-z]+)", PAGE))
    assert commands == {"install", "uninstall", "start", "stop", "restart", "status", "logs"}
    helps = {
        name: CliRunner().invoke(app, ["service", name, "--help"], env={"COLUMNS": "200"}).output
        for name in commands
    }
    for name, arguments in re.findall(r"livered service ([a-z]+)([^\n`#]*)", PAGE):
        for option in re.findall(r"(?<!\S)--?[a-z-]+", arguments):
            assert option in helps[name], (name, option)
    for option in ("--now", "--print"):
        assert option in helps["install"]
    for option in ("-f", "-n", "--journal"):
        assert option in helps["logs"]


def test_the_table_service_can_be_read(tmp_path: Path):
    (text,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    layers = [parse_layer(text, "page", tmp_path), Layer("flags", {"instrument": "NOM"}, tmp_path)]
    service = structure(merge(layers), {}, {"HOME": str(tmp_path)}, tmp_path).service
    assert service.memory_text == "50%"
    assert service.watchdog == ServiceConfig().watchdog
    assert service.credentials == (("monitor", "~/secrets/monitor"),)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", PAGE))))
def test_every_link_leads_somewhere(link: str):
    assert (REPOSITORY / "docs" / link).exists(), link
