from __future__ import annotations

import os
from pathlib import Path

import pytest

from environment_support import as_conda, as_pixi, empty_environment, make_environment
from livered_core.engine import activation
from livered_core.engine.activation import activated, is_activated
from livered_core.engine.environment import find_environment
from livered_core.errors import ConfigError
from waiting import until

ENVIRON = {"HOME": "/nowhere", "PATH": "/usr/bin:/bin", "KEPT": "as it is"}


def changes(environment, environ=ENVIRON):
    after = activated(environment, environ)
    return {name: value for name, value in after.items() if environ.get(name) != value}


@pytest.fixture
def conda(tmp_path):
    def make(**scripts):
        prefix = as_conda(empty_environment(tmp_path / "envs" / "mantid"), **scripts)
        return find_environment(str(prefix), ENVIRON)

    return make


def test_an_environment_without_scripts_needs_no_shell(conda, monkeypatch):
    monkeypatch.setattr(activation, "run_briefly", None)
    environment = conda()
    assert changes(environment) == {
        "PATH": f"{environment.prefix}/bin:/usr/bin:/bin",
        "CONDA_PREFIX": str(environment.prefix),
        "CONDA_DEFAULT_ENV": "mantid",
        "PYTHONNOUSERSITE": "1",
    }


def test_scripts_are_read_in_order_and_see_the_environment(conda, tmp_path):
    unwanted = tmp_path / "unwanted.sh"
    unwanted.write_text("export UNWANTED=1")
    environment = conda(
        b='export SECOND="$FIRST and\nmore" PATH="/added:$PATH"; echo noise; unset KEPT',
        a='export FIRST="$CONDA_PREFIX ü"; local_only=1; false',
    )
    after = activated(environment, {**ENVIRON, "PWD": "/somewhere", "BASH_ENV": str(unwanted)})
    assert after["FIRST"] == f"{environment.prefix} ü"
    assert after["SECOND"] == f"{environment.prefix} ü and\nmore"
    assert after["PATH"] == f"/added:{environment.prefix}/bin:/usr/bin:/bin"
    assert "KEPT" not in after
    assert "local_only" not in after
    assert (after["PWD"], after["BASH_ENV"]) == ("/somewhere", str(unwanted))
    assert "UNWANTED" not in after
    assert "SHLVL" not in after


def test_variables_of_packages_and_of_the_environment_are_set_before_the_scripts(conda):
    environment = conda(s='export SEEN="$FROM_PACKAGE $FROM_ENVIRONMENT"')
    folder = environment.prefix / "etc" / "conda" / "env_vars.d"
    folder.mkdir()
    (folder / "p.json").write_text('{"FROM_PACKAGE": "1", "FROM_ENVIRONMENT": "0"}')
    state = '{"env_vars": {"FROM_ENVIRONMENT": "2", "KEPT": "***unset***"}}'
    (environment.prefix / "conda-meta" / "state").write_text(state)
    after = activated(environment, ENVIRON)
    assert after["SEEN"] == "1 2"
    assert "KEPT" not in after
    (folder / "p.json").write_text("{")
    with pytest.raises(ConfigError, match=r"p\.json belongs to an environment and cannot be read"):
        activated(environment, ENVIRON)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo no licence >&2; exit 4", r"a script in .*activate\.d ended the shell with status 4: no licence;"),
        ("kill -9 $$", r"ended the shell with status -9;"),
        ("exit 0", r"ended the shell with status 0;"),
    ],
)  # fmt: skip
def test_a_script_that_ends_the_shell_is_said(conda, script, sentence):
    with pytest.raises(ConfigError, match=sentence):
        activated(conda(a=script), ENVIRON)


def test_scripts_have_limited_time(conda, tmp_path, monkeypatch):
    monkeypatch.setattr(activation, "SCRIPTS_TIMEOUT_S", 0.5)
    pid = tmp_path / "pid"
    environment = conda(a=f"sleep 1000 & echo $! > '{pid}'; wait")
    with pytest.raises(ConfigError, match=r"did not end within 0\.5 s"):
        activated(environment, ENVIRON)
    until(lambda: is_gone(int(pid.read_text())))


def test_a_process_that_a_script_leaves_behind_is_not_waited_for(conda, tmp_path):
    pid = tmp_path / "pid"
    environment = conda(a=f"sleep 1000 & echo $! > '{pid}'; export DONE=1")
    try:
        assert activated(environment, ENVIRON)["DONE"] == "1"
    finally:
        os.kill(int(pid.read_text()), 9)


def is_gone(pid):
    """Whether a process is no more, or a zombie that its new parent has not reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_python_variables(conda):
    environ = {
        **ENVIRON,
        "PYTHONPATH": "/mine",
        "PYTHONHOME": "/other",
        "VIRTUAL_ENV": "/v",
        "PYTHONNOUSERSITE": "",
    }
    after = activated(conda(), environ)
    assert after["PYTHONPATH"] == "/mine"
    assert after["PYTHONNOUSERSITE"] == ""
    assert not {"PYTHONHOME", "VIRTUAL_ENV"} & set(after)


def test_a_pixi_workspace_adds_the_activation_of_its_manifest(tmp_path):
    workspace = tmp_path / "mantid"
    empty_environment(workspace / ".pixi" / "envs" / "dev")
    manifest = '[activation]\nscripts = ["more.sh"]\nenv = { FACILITY = "SNS" }\n'
    as_pixi(workspace, "dev", manifest, a="export PACKAGE=1")
    (workspace / "more.sh").write_text('export MORE="$PACKAGE $FACILITY $PIXI_PROJECT_ROOT"')
    environment = find_environment(f"pixi:{workspace}#dev", ENVIRON)
    after = activated(environment, ENVIRON)
    assert after["MORE"] == f"1 SNS {workspace}"
    assert after["PIXI_PROJECT_MANIFEST"] == str(workspace / "pixi.toml")
    assert (after["PIXI_ENVIRONMENT_NAME"], after["CONDA_DEFAULT_ENV"]) == ("dev", "dev")
    (workspace / "pixi.toml").rename(workspace / "pyproject.toml")
    (workspace / "pyproject.toml").write_text('[tool.pixi.activation.env]\nFACILITY = "ISIS"\n')
    assert activated(environment, ENVIRON)["FACILITY"] == "ISIS"


def test_a_virtual_environment_on_top_of_conda_activates_both(tmp_path, conda):
    below = conda(a="export BELOW=1")
    top = make_environment(tmp_path / "top", livered=False)
    (top / "pyvenv.cfg").write_text(f"home = {below.prefix}/bin\ninclude-system-site-packages = true\n")
    environment = find_environment(str(top), ENVIRON)
    after = activated(environment, ENVIRON)
    assert (after["BELOW"], after["CONDA_PREFIX"], after["VIRTUAL_ENV"]) == ("1", str(below.prefix), str(top))
    assert after["PATH"] == f"{top}/bin:{below.prefix}/bin:/usr/bin:/bin"
    assert not is_activated(environment, ENVIRON)
    assert is_activated(environment, after)


def test_activating_twice_changes_nothing_more(conda):
    environment = conda(a="export ONCE=1")
    after = activated(environment, ENVIRON)
    assert activated(environment, after) == after
    assert is_activated(environment, after)
    assert not is_activated(environment, {**after, "CONDA_PREFIX": "/other"})
    assert not is_activated(environment, ENVIRON)


def test_a_plain_virtual_environment_counts_as_activated(tmp_path):
    environment = find_environment(str(make_environment(tmp_path / "v", livered=False)), ENVIRON)
    assert is_activated(environment, ENVIRON)
