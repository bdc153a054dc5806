"""The environment files that bring Mantid and the wheels together: they parse, and contradict nothing of ours."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from livered_core.config.toml import parse_toml
from livered_support import private_environment

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENTS = REPOSITORY / "environments"
PROJECTS = [REPOSITORY, REPOSITORY / "plugins" / "nom", REPOSITORY / "plugins" / "publish_monitor"]
EXTRAS = ["native", "total", "simulator"]
PYTHONS = [(3, minor) for minor in range(10, 14)]


def toml(path):
    return parse_toml(path.read_text(encoding="utf-8"), str(path))


def plain_yaml(text):
    """Read the little of YAML that the file needs: keys with a text, lists of texts, and one list below a key."""
    found, key = {}, ""
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        top, item, below = (
            re.fullmatch(pattern, line) for pattern in (r"(\w+):(?: (\S.*))?", r"  - (\S.*)", r"    - (\S.*)")
        )
        if top:
            key = top[1]
            found[key] = top[2] if top[2] else []
        elif item and item[1] == "pip:":
            found[key].append({"pip": []})
        elif item:
            found[key].append(item[1])
        else:
            assert below, f"not plain: {line!r}"
            found[key][-1]["pip"].append(below[1])
    return found


@pytest.fixture(scope="module")
def conda():
    return plain_yaml((ENVIRONMENTS / "mantid-conda.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pixi():
    return toml(ENVIRONMENTS / "pixi.toml")


def conda_specs(conda):
    return dict(line.partition(" ")[::2] for line in conda["dependencies"] if isinstance(line, str))


def lowest(spec):
    """The lower limit of a requirement, as numbers; empty for none."""
    found = re.search(r">=\s*([0-9.]+)", spec)
    return tuple(map(int, found[1].split("."))) if found else ()


def required():
    """What the three distributions and their tests require, name to the highest of the lower limits."""
    limits = {}
    for folder in PROJECTS:
        document = toml(folder / "pyproject.toml")
        project = document["project"]
        lines = list(project["dependencies"])
        for extra in EXTRAS:
            lines += project.get("optional-dependencies", {}).get(extra, []) if folder == REPOSITORY else []
        lines += [
            line
            for line in document.get("dependency-groups", {}).get("dev", [])
            if re.match(r"pytest|hypothesis", line)
        ]
        for line in lines:
            name = re.match(r"[A-Za-z0-9_.-]+", line)[0]
            if not name.startswith("livered"):
                limits[name] = max(limits.get(name, ()), lowest(line.partition(";")[0]))
    return limits


def wheels():
    """Names of the wheels that `make wheels` builds."""
    projects = [toml(folder / "pyproject.toml")["project"] for folder in PROJECTS]
    return {
        each["name"]: f"{each['name'].replace('-', '_')}-{each['version']}-py3-none-any.whl"
        for each in projects
    }


def test_both_files_want_the_same(conda, pixi):
    assert conda["name"] == pixi["workspace"]["name"]
    assert conda["channels"] == pixi["workspace"]["channels"] == ["conda-forge", "mantid"]
    assert {name: spec or "*" for name, spec in conda_specs(conda).items()} == pixi["dependencies"]


def test_the_file_for_conda_is_what_its_own_parser_reads(conda):
    yaml = pytest.importorskip("yaml", reason="there is no PyYAML to compare with")
    assert yaml.safe_load((ENVIRONMENTS / "mantid-conda.yml").read_text(encoding="utf-8")) == conda


def test_no_version_contradicts_what_the_wheels_require(pixi):
    limits = required()
    listed = pixi["dependencies"]
    assert {name: lowest(spec) for name, spec in listed.items() if name in limits} == {
        name: limit for name, limit in limits.items() if name in listed
    }
    # These come with pip: conda-forge has them under other names, or late.
    assert set(limits) - set(listed) == {"ncrystal", "tomli"}


def test_the_pythons_are_those_of_the_distributions(pixi):
    bounds = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", pixi["dependencies"]["python"])
    assert [(3, minor) for minor in range(int(bounds[1]), int(bounds[2]))] == PYTHONS
    for folder in PROJECTS:
        assert toml(folder / "pyproject.toml")["project"]["requires-python"] == ">=3.10"
    classifiers = toml(REPOSITORY / "pyproject.toml")["project"]["classifiers"]
    for major, minor in PYTHONS:
        assert f"Programming Language :: Python :: {major}.{minor}" in classifiers


def test_the_wheels_are_those_that_make_wheels_builds(conda, pixi):
    assert "--out-dir dist" in (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for name, wheel in wheels().items():
        given = pixi["pypi-dependencies"][name]
        assert given["path"] == f"../dist/{wheel}"
        assert given.get("extras", []) == (EXTRAS if name == "livered-core" else [])
    (pip,) = [line["pip"] for line in conda["dependencies"] if isinstance(line, dict)]
    core, *plugins = wheels().values()
    assert pip == [f"../dist/{core}[{','.join(EXTRAS)}]", *(f"../dist/{wheel}" for wheel in plugins)]


def test_the_tasks_run_what_is_there(pixi):
    marker = toml(REPOSITORY / "pyproject.toml")["tool"]["pytest"]["ini_options"]["markers"]
    assert any(line.startswith("mantid:") for line in marker)
    assert pixi["tasks"]["test-mantid"] == {"cmd": "python -m pytest -m mantid", "cwd": ".."}
    assert pixi["tasks"]["check"] == "python -m livered_core check --instrument NOM --no-connect"


@pytest.mark.slow
def test_what_is_for_mantid_is_collected_with_what_the_files_install(tmp_path):
    quietly = ["-q", "-p", "no:cacheprovider", "--collect-only"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *quietly, "-p", "without_dev_packages", "-m", "mantid"],
        cwd=REPOSITORY,
        env=private_environment(tmp_path, PYTHONPATH=str(REPOSITORY / "tests")),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests/with_mantid/test_source.py::" in done.stdout
    assert "could not import 'uvicorn'" in done.stdout, "what the files do not install is not hidden"


@pytest.mark.parametrize("name", ["mantid-conda.yml", "pixi.toml"])
def test_no_registry_is_named(name):
    text = (ENVIRONMENTS / name).read_text(encoding="utf-8")
    assert not re.search(r"://|\.(org|com|dev|io)\b", text)
