"""What is in the wheels and in the source archives."""

from __future__ import annotations

import email
import sys
import tarfile
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY = Path(__file__).parents[2]
FOLDERS = {
    "livered_core": REPOSITORY,
    "livered_nom": REPOSITORY / "plugins" / "nom",
    "livered_publish_monitor": REPOSITORY / "plugins" / "publish_monitor",
}
MUST_HAVE = {
    "livered_core": {"py.typed"},
    "livered_nom": {"py.typed", "defaults.toml", "simulated_instrument.xml"},
    "livered_publish_monitor": {"py.typed"},
}
ENTRY_POINTS = {
    "livered_core": {
        "console_scripts": {"livered"},
        "livered.plugins": {"files", "scripts"},
        "pytest11": {"livered"},
    },
    "livered_nom": {"livered.instruments": {"NOM", "NOMAD"}},
    "livered_publish_monitor": {"livered.plugins": {"publish_monitor"}},
}
each = pytest.mark.parametrize("name", sorted(FOLDERS))


def source_files(name: str) -> set[str]:
    folder = FOLDERS[name] / "src"
    return {
        path.relative_to(folder).as_posix()
        for path in (folder / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def manifest(name: str) -> dict:
    return tomllib.loads((FOLDERS[name] / "pyproject.toml").read_text(encoding="utf-8"))


def wheel(built: Path, name: str) -> zipfile.ZipFile:
    (path,) = built.glob(f"{name}-*.whl")
    return zipfile.ZipFile(path)


def info(archive: zipfile.ZipFile) -> str:
    (folder,) = {member.partition("/")[0] for member in archive.namelist() if ".dist-info/" in member}
    return folder


@each
def test_a_wheel_holds_the_package_and_nothing_else(built, name):
    with wheel(built, name) as archive:
        files = {member for member in archive.namelist() if not member.startswith(f"{info(archive)}/")}
    assert files == source_files(name)
    assert {f"{name}/{file}" for file in MUST_HAVE[name]} <= files
    assert not [file for file in files if "/test_" in file or "conftest" in file]


@each
def test_a_wheel_holds_the_licence(built, name):
    with wheel(built, name) as archive:
        text = archive.read(f"{info(archive)}/licenses/LICENSE").decode()
    assert text == (FOLDERS[name] / "LICENSE").read_text(encoding="utf-8")
    assert "Redistribution and use" in text


@each
def test_a_wheel_announces_its_entry_points(built, name):
    points = ConfigParser(delimiters=("=",))
    points.optionxform = str
    with wheel(built, name) as archive:
        points.read_string(archive.read(f"{info(archive)}/entry_points.txt").decode())
    assert {group: set(points[group]) for group in points.sections()} == ENTRY_POINTS[name]


@each
def test_a_wheel_says_what_it_is(built, name):
    with wheel(built, name) as archive:
        about = email.message_from_bytes(archive.read(f"{info(archive)}/METADATA"))
        what = archive.read(f"{info(archive)}/WHEEL").decode()
    project = manifest(name)["project"]
    assert about["Version"] == project["version"]
    assert about["Requires-Python"] == ">=3.10"
    assert about["License-Expression"] == "BSD-3-Clause"
    assert about.get_payload(decode=True).decode() == (FOLDERS[name] / "README.md").read_text(
        encoding="utf-8"
    )
    assert "Tag: py3-none-any" in what
    assert not [line for line in about.get_all("Requires-Dist") if "@" in line], "a path of this machine"


@each
def test_a_source_archive_holds_what_a_build_needs_and_nothing_of_its_neighbours(built, name):
    (path,) = built.glob(f"{name}-*.tar.gz")
    with tarfile.open(path) as archive:
        files = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    inside = {f"src/{file}" for file in source_files(name)}
    changes = {"CHANGELOG.md"} if name == "livered_core" else set()
    assert files == inside | changes | {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO", ".gitignore"}


def test_the_same_dependency_has_the_same_lowest_version_everywhere():
    versions: dict[str, set[str]] = {}
    for name in FOLDERS:
        project = manifest(name)["project"]
        extras = project.get("optional-dependencies", {}).values()
        for requirement in [*project["dependencies"], *(line for lines in extras for line in lines)]:
            versions.setdefault(requirement.partition(">=")[0].partition("[")[0], set()).add(
                requirement.partition(">=")[2]
            )
    versions.pop("livered-core")
    assert versions["numpy"]
    assert {name: found for name, found in versions.items() if len(found) != 1} == {}
