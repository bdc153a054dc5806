from __future__ import annotations

import json
import os
import re

import pytest

from environment_support import as_conda, as_pixi, empty_environment, make_environment
from livered_core.engine import environment as module
from livered_core.engine.environment import find_environment
from livered_core.errors import ConfigError


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder, and nothing of this machine's conda and pixi."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setattr(module, "CONDA_ROOTS", ("~/miniforge3", "~/.conda"))
    monkeypatch.setattr(module, "PIXI_WORKSPACES", ("~/shared-pixi",))
    return folder


@pytest.fixture
def environ(home):
    return {"HOME": str(home), "PATH": "/usr/bin:/bin"}


def conda_environment(prefix):
    return as_conda(empty_environment(prefix))


def test_the_folder_of_an_environment_says_what_made_it(tmp_path, environ):
    venv = make_environment(tmp_path / "venv", livered=False)
    conda = conda_environment(tmp_path / "conda")
    pixi = empty_environment(tmp_path / "workspace" / ".pixi" / "envs" / "default")
    as_pixi(tmp_path / "workspace")
    other = empty_environment(tmp_path / "other")
    found = {path: find_environment(str(path), environ) for path in (venv, conda, pixi, other)}
    assert [found[path].kind for path in (venv, conda, pixi, other)] == ["venv", "conda", "pixi", "prefix"]
    assert all(each.prefix == path and each.python == path / "bin" / "python" for path, each in found.items())
    assert found[pixi].workspace == tmp_path / "workspace"
    assert found[conda].workspace is None


def test_a_path_may_be_relative_or_begin_at_home(tmp_path, environ, home, monkeypatch):
    inside = empty_environment(home / "env")
    assert find_environment("~/env", environ).prefix == inside
    assert find_environment("env", environ, home).prefix == inside
    monkeypatch.chdir(home)
    assert find_environment("./env", environ).prefix == inside
    assert find_environment("conda:~/env", environ).prefix == inside


def test_a_link_to_an_environment_is_kept(tmp_path, environ):
    real = make_environment(tmp_path / "v6.14", livered=False)
    (tmp_path / "current").symlink_to(real)
    assert find_environment(str(tmp_path / "current"), environ).prefix == tmp_path / "current"


@pytest.mark.parametrize(
    "place", ["envs_path", "conda_exe", "active_base", "active_sibling", "mamba", "usual_root", "register"]
)
def test_conda_environments_are_found_by_name(place, tmp_path, environ, home):
    root = tmp_path / "conda root"
    prefix = root / "envs" / "mantid"
    if place == "envs_path":
        prefix = tmp_path / "many" / "mantid"
        environ["CONDA_ENVS_PATH"] = os.pathsep.join([str(tmp_path / "none"), str(tmp_path / "many")])
    elif place == "conda_exe":
        environ["CONDA_EXE"] = str(root / "bin" / "conda")
    elif place == "active_base":
        environ["CONDA_PREFIX"] = str(root)
    elif place == "active_sibling":
        environ["CONDA_PREFIX"] = str(root / "envs" / "another")
    elif place == "mamba":
        environ["MAMBA_ROOT_PREFIX"] = str(root)
    elif place == "usual_root":
        prefix = home / "miniforge3" / "envs" / "mantid"
    else:
        prefix = tmp_path / "elsewhere" / "mantid"
        (home / ".conda").mkdir()
        (home / ".conda" / "environments.txt").write_text(f"{tmp_path / 'gone'}\n{prefix}\n")
    conda_environment(prefix)
    found = find_environment("conda:mantid", environ)
    assert (found.kind, found.prefix) == ("conda", prefix)


def test_conda_is_asked_only_for_a_name_that_is_nowhere_else(tmp_path, environ, home):
    elsewhere = conda_environment(tmp_path / "elsewhere" / "mantid")
    conda_environment(home / "miniforge3" / "envs" / "other")
    program = tmp_path / "conda"
    asked = tmp_path / "asked"
    listed = json.dumps({"envs": [str(tmp_path / "gone"), str(elsewhere)]})
    program.write_text(f"#!/bin/sh\necho \"$@\" >> '{asked}'\necho '{listed}'\n")
    program.chmod(0o755)
    environ["CONDA_EXE"] = str(program)
    assert find_environment("conda:other", environ).prefix.name == "other"
    assert not asked.exists()
    assert find_environment("conda:mantid", environ).prefix == elsewhere
    assert asked.read_text() == "env list --json\n"
    program.write_text("#!/bin/sh\necho nonsense\n")
    with pytest.raises(ConfigError, match="No conda environment is called 'mantid'"):
        find_environment("conda:mantid", environ)


def test_the_base_environment_of_conda_has_a_name(home, environ):
    conda_environment(home / "miniforge3")
    assert find_environment("conda:base", environ).prefix == home / "miniforge3"


def test_pixi_environments_are_found_by_workspace_and_name(tmp_path, environ):
    workspace = tmp_path / "work space"
    for name in ("default", "dev"):
        empty_environment(workspace / ".pixi" / "envs" / name)
        as_pixi(workspace, name)
    for text, name in (
        (f"pixi:{workspace}", "default"),
        (f"pixi:{workspace}#dev", "dev"),
        (f"pixi:{workspace}/pixi.toml#dev", "dev"),
        (f"pixi:{workspace}/.pixi/envs/dev", "dev"),
    ):
        found = find_environment(text, environ)
        assert (found.kind, found.workspace) == ("pixi", workspace)
        assert found.prefix == workspace / ".pixi" / "envs" / name


def test_pixi_workspaces_and_environments_that_people_share_are_found_by_name(home, environ):
    prefix = empty_environment(home / "shared-pixi" / "mantid_dev" / ".pixi" / "envs" / "default")
    as_pixi(home / "shared-pixi" / "mantid_dev")
    assert find_environment("pixi:mantid_dev", environ).prefix == prefix
    shared = empty_environment(home / ".pixi" / "envs" / "mantid")
    assert find_environment("pixi:mantid", environ).prefix == shared


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "names no environment: say conda:NAME, pixi:FOLDER, or the folder"),
        ("conda:", "names no environment"),
        ("mantid", r"There is no folder .*/mantid, which should be an environment .* say conda:mantid or pixi:mantid\.$"),
        ("/not/there", r"There is no folder /not/there, which should be an environment with Mantid\.$"),
        ("conda:nothing", r"No conda environment is called 'nothing': `conda env list` shows"),
        ("pixi:nothing", r"No pixi workspace is called 'nothing' in .*shared-pixi.*: say where it is with pixi:FOLDER"),
        ("pixi:/not/there", r"There is no folder /not/there, which should be a pixi workspace\."),
        ("pixi:{tmp}/empty", r"empty is no pixi workspace: it holds neither pixi\.toml nor pyproject\.toml\."),
        ("pixi:{tmp}/fresh", r"has no environment 'default' that is installed \(it has: none\): `pixi install --manifest-path .*pixi\.toml --environment default`"),
        ("pixi:{tmp}/work#dve", r"has no environment 'dve' .*\(it has: default\)"),
        ("{tmp}/empty", r"The environment .*/empty has no Python: .*/empty/bin/python is not there\."),
        ("conda:bare", r"The environment .*bare \(conda\) has no Python"),
    ],
)  # fmt: skip
def test_what_cannot_be_found_is_one_sentence(text, sentence, tmp_path, environ, home):
    (tmp_path / "empty").mkdir()
    (tmp_path / "fresh").mkdir()
    (tmp_path / "fresh" / "pixi.toml").write_text("")
    empty_environment(tmp_path / "work" / ".pixi" / "envs" / "default")
    as_pixi(tmp_path / "work")
    as_conda(home / "miniforge3" / "envs" / "bare")
    with pytest.raises(ConfigError) as caught:
        find_environment(text.format(tmp=tmp_path), environ)
    (problem,) = caught.value.problems
    assert re.search(sentence, problem), problem
    assert "\n" not in problem


def test_a_python_that_may_not_be_executed_is_said(tmp_path, environ):
    prefix = empty_environment(tmp_path / "env")
    (prefix / "bin" / "python").chmod(0o644)
    with pytest.raises(ConfigError, match="closed to this user"):
        find_environment(str(prefix), environ)
