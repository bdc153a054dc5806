"""What a visitor looks at first: licence, citation, contributing, types."""

from __future__ import annotations

import importlib.util
import re
from importlib.metadata import metadata, version
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGES = REPOSITORY / "src" / "livered_core"


def text_of(name):
    return (REPOSITORY / name).read_text(encoding="utf-8")


def test_the_citation_is_of_this_version_and_licence():
    fields = dict(re.findall(r"^([\w-]+): *(.+)$", text_of("CITATION.cff"), re.MULTILINE))
    assert fields["cff-version"] == "1.2.0"
    assert fields["version"] == version("livered-core")
    assert fields["license"] == metadata("livered-core")["License-Expression"]
    assert {"message", "title", "type"} <= set(fields)


@pytest.mark.parametrize("folder", ["plugins/nom", "plugins/publish_monitor"])
def test_each_distribution_has_the_same_licence(folder):
    assert text_of(f"{folder}/LICENSE") == text_of("LICENSE")


def test_the_map_has_every_room_of_the_house():
    rooms = {path.name for path in PACKAGES.iterdir() if (path / "__init__.py").exists()}
    table = "\n".join(line for line in text_of("CONTRIBUTING.md").splitlines() if line.startswith("| `"))
    named = {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert rooms - named == set()
    assert {name for name in named if not (PACKAGES / f"{name}.py").exists()} == rooms


@pytest.mark.parametrize("package", ["livered_core", "livered_nom", "livered_publish_monitor"])
def test_each_package_says_that_it_is_typed(package):
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None
    assert Path(spec.origin).with_name("py.typed").is_file()


def test_the_changelog_begins_with_what_is_not_released():
    headings = re.findall(r"^## (.+)$", text_of("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == "Unreleased"


def test_nothing_is_deprecated_without_being_written_down():
    warned = [
        path
        for folder in ("src", "plugins")
        for path in sorted((REPOSITORY / folder).rglob("*.py"))
        if re.search(r"\bDeprecationWarning\b", path.read_text(encoding="utf-8"))
        and "tests" not in path.parts
    ]
    assert bool(warned) != ("Deprecated now: nothing." in text_of("docs/deprecations.md")), warned
