"""The tutorial is followed word for word: its files are written, its commands are run, in their order."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from examples_support import REPOSITORY, make_environment
from followed_page import blocks_of, follow, numberless
from livered_core.config import parse_layer

DOCUMENT = REPOSITORY / "docs" / "writing-a-plugin.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
FILL_IN = runpy.run_path(str(REPOSITORY / "docs" / "tools" / "fill_in_files.py"))["filled"]

SHORT = {"simulate__speed": 0, "simulate__run_length": 3}
"""The document's runs are 20 s long, in real time."""


BLOCKS = blocks_of(TEXT)


def test_the_files_in_it_are_those_of_the_repository():
    assert FILL_IN(TEXT) == TEXT, "run: python docs/tools/fill_in_files.py docs/writing-a-plugin.md"


def test_a_file_without_a_block_is_refused():
    with pytest.raises(ValueError, match="names 1 files and has 0 blocks"):
        FILL_IN("<!-- text of: LICENSE -->\n\nno block\n")


def test_every_piece_of_python_in_it_is_a_file_of_the_repository():
    assert all("text of" in block.marks for block in BLOCKS if block.language in ("python", "xml"))


def test_its_examples_of_configuration_are_toml():
    for block in BLOCKS:
        if block.language == "toml":
            assert parse_layer(block.text, "example", Path("/")).values


def test_its_links_lead_somewhere():
    targets = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert targets
    for target in targets:
        assert (DOCUMENT.parent / target).exists(), target


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """Follow the tutorial to its end."""
    environment = make_environment(tmp_path_factory.mktemp("environment"))
    return follow(TEXT, tmp_path_factory.mktemp("tutorial"), environment, **SHORT)


def test_the_first_run_looks_as_it_says(followed):
    (shown,) = (block.text for block in BLOCKS if "screen" in block.marks)
    screen = followed.output["livered run --instrument TOY --simulate --stop-after-run"]
    wanted = numberless(shown)
    assert numberless(screen)[-len(wanted) :] == wanted
    assert re.search(r"panel at 60 deg +[\d,]+ +1\.26 ", screen)
    assert re.search(r"panel at 150 deg +[\d,]+ +1\.26 ", screen)


def test_livered_check_is_content(followed):
    said = followed.output["livered check --instrument TOY --no-connect"]
    assert "toy (livered-toy 1.0)" in said
    assert said.endswith("All is well.\n")


def test_the_setting_is_there_with_its_unit_and_cuts_the_curves(followed):
    last = "livered run --instrument TOY --simulate --stop-after-run --config toy.toml"
    assert last in followed.output
    shown = followed.environment.run(
        followed.folder, "livered config show --instrument TOY --config toy.toml"
    )
    assert re.search(r"^plugins\.toy\.d_max = 1\.5 +# Angstrom; toy\.toml$", shown.stdout, re.MULTILINE)
    curve = followed.folder / "output" / "TOY-simulated" / "TOY_1_panel_at_60_deg.dat"
    lines = curve.read_text().splitlines()
    (x,) = [line for line in lines if line.startswith("# x: ")]
    assert x.endswith(" to 1.5")
    assert 1.49 < float(lines[-1].split()[0]) < 1.5


def test_the_sink_has_its_row(followed):
    (row,) = (text for command, text in followed.output.items() if command.startswith("python -c"))
    lines = row.splitlines()
    assert lines[-1].startswith("('TOY', 1, 'Diamond on the toy diffractometer', ")
    assert lines[-1].endswith(", 1, 2)")


ERRORS = [block for block in BLOCKS if "error" in block.marks]


@pytest.mark.parametrize("block", ERRORS, ids=lambda block: block.marks["error"])
def test_a_wrong_value_is_refused_as_it_says(followed, tmp_path, block):
    (tmp_path / "toy.toml").write_text(f"[plugins.toy]\n{block.marks['error']}\n")
    done = followed.environment.run(
        tmp_path, "livered run --instrument TOY --simulate --config toy.toml", **SHORT
    )
    assert (done.returncode, done.stderr) == (2, block.text)


def test_the_tutorial_shows_what_these_tests_look_for():
    assert len(ERRORS) == 2
    assert sum(block.language == "sh" for block in BLOCKS) >= 6
    assert sum("write" in block.marks for block in BLOCKS) >= 9
