"""The tutorial is followed word for word, from ``make demo`` to a plugin and a sink of one's own."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from examples_support import REPOSITORY, make_environment
from followed_page import blocks_of, follow

DOCUMENT = REPOSITORY / "docs" / "tutorial.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
BLOCKS = blocks_of(TEXT)

SHORT = {"simulate__speed": 0, "simulate__run_length": 3, "dashboard__port": 0}
"""The page's runs are 20 s long and more, in real time."""


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """Follow the page to its end, in a folder that looks to make as the repository does after its set-up."""
    folder = tmp_path_factory.mktemp("tutorial")
    environment = make_environment(tmp_path_factory.mktemp("environment"))
    for manifest in (
        "pyproject.toml",
        "plugins/nom/pyproject.toml",
        "plugins/publish_monitor/pyproject.toml",
    ):
        (folder / manifest).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / manifest, folder / manifest)
    shutil.copy2(REPOSITORY / "Makefile", folder / "Makefile")
    (folder / ".venv").symlink_to(environment.folder / "venv")
    (folder / ".venv" / ".livered-setup").touch()
    return follow(TEXT, folder, environment, **SHORT)


def test_the_demonstration_reduces_nomad(followed):
    assert re.search(
        r"Run \d+: [\d,]+ events in [\d,]+ pulses, complete; final\.", followed.output["make demo"]
    )
    assert list((followed.folder / "output" / "NOM-simulated").glob("*.h5"))


def test_the_plugin_that_was_made_has_the_peak_that_the_page_says(followed):
    said = followed.output["livered plugin test my_instrument"]
    assert "1.26" in said


def test_its_setting_is_shown_with_its_unit(followed):
    shown = followed.output["livered config show --instrument POWGEN --config powgen.toml"]
    assert re.search(
        r"^plugins\.powgen\.prompt_pulse_width = 2500\.0 +# us; powgen\.toml$", shown, re.MULTILINE
    )


def sums(said):
    return [float(match) for match in re.findall(r"^ +panel\d+ .* Angstrom +(\S+) ", said, re.MULTILINE)]


def test_its_setting_makes_the_sums_smaller(followed):
    before = sums(followed.output["livered plugin test my_instrument"])
    after = sums(followed.output["livered plugin test my_instrument --config powgen.toml"])
    assert len(before) == len(after) == 2
    assert all(low < high for low, high in zip(after, before, strict=True))


def test_it_would_behave_at_the_beamline(followed):
    assert "livered plugin check my_instrument" in followed.output


def test_the_listing_names_it_with_its_calls(followed):
    assert "my_instrument" in followed.output["livered plugins --instrument POWGEN"]


def test_the_sink_has_its_line(followed):
    (line,) = followed.output["cat output/POWGEN-simulated/my_sink.jsonl"].splitlines()[-1:]
    row = json.loads(line)
    assert (row["instrument"], row["complete"], row["curves"]) == ("POWGEN", True, 2)


def test_all_of_it_is_tried():
    languages = [block.language for block in BLOCKS]
    assert languages.count("sh") >= 14
    assert all(block.marks for block in BLOCKS if block.language != "sh")
