"""``livered run`` in the environment that ``--env`` or the configuration names, as processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.metadata import version

import pytest

from environment_support import as_conda, as_pixi, make_environment
from livered_support import WAIT, livered, private_environment, started
from waiting import until

PLUGIN = """
    import json, os, pathlib, sys

    import attrs
    from livered_core import hookimpl

    @attrs.define(eq=False)
    class Instrument:
        def check(self):
            facts = {"prefix": sys.prefix, "pid": os.getpid(), "cwd": os.getcwd(), "argv": sys.argv[1:], "environ": dict(os.environ)}
            pathlib.Path("facts.part").write_text(json.dumps(facts))
            pathlib.Path("facts.part").rename("facts.json")
            return ["seen"] if os.environ.get("TST_ENOUGH") else []

        @hookimpl
        def run_started(self, run):
            pass
"""


@pytest.fixture
def environ(install, tmp_path):
    """Variables with which instrument TST is installed for every Python, and which say that seeing them is enough."""
    site = install(
        "livered-tst", {"tst_env.py": PLUGIN}, {"livered.instruments": ["TST = tst_env:Instrument"]}
    )
    return private_environment(tmp_path, PYTHONPATH=str(site), TST_ENOUGH="1", LIVERED_ADDRESS="127.0.0.1:9")


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    return make_environment(tmp_path_factory.mktemp("envs") / "mantid env %h")


def facts(tmp_path):
    return json.loads((tmp_path / "facts.json").read_text())


def seen(result, tmp_path):
    assert (result.returncode, result.stderr) == (2, "livered: plugins.tst: seen\n")
    return facts(tmp_path)


def test_run_goes_on_in_the_environment_that_env_names(env, environ, tmp_path):
    arguments = ["run", "-i", "TST", "--env", str(env), "--plain", "--update-every", "3"]
    with started(tmp_path, *arguments, environment=environ) as process:
        assert process.wait(WAIT) == 2
    told = facts(tmp_path)
    assert told["pid"] == process.pid
    assert told["prefix"] == str(env)
    assert told["cwd"] == str(tmp_path)
    assert told["argv"] == arguments
    assert told["environ"]["PATH"].startswith(f"{env}/bin:")
    assert told["environ"]["PYTHONPATH"] == environ["PYTHONPATH"]
    assert told["environ"]["PYTHONNOUSERSITE"] == "1"
    assert "IN_LIVERED_ENVIRONMENT" not in told["environ"]


def test_signals_reach_it(env, environ, tmp_path):
    environ.pop("TST_ENOUGH")
    with started(tmp_path, "run", "-i", "TST", "--env", str(env), "--plain", environment=environ) as process:
        until((tmp_path / "facts.json").exists)
        until((tmp_path / "livereduce.log").exists)
        assert facts(tmp_path)["pid"] == process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT) == 0


@pytest.mark.parametrize(
    ("backend", "option", "goes_on"),
    [("auto", [], True), ("mantid", [], True), ("native", [], False), ("native", ["--env"], True)],
)
def test_the_configuration_names_it_for_backends_that_may_be_mantid(
    environ, tmp_path, backend, option, goes_on
):
    prefix = as_conda(make_environment(tmp_path / "m"), a='touch "$HOME/gone-on"')
    (tmp_path / "c.toml").write_text('[mantid]\nenvironment = "m"\n')
    arguments = ["run", *option, "-i", "TST", "--config", "c.toml", "--backend", backend]
    result = livered(tmp_path, *arguments, environment=environ)
    assert (tmp_path / "gone-on").exists() is goes_on
    assert result.returncode == 2
    if backend != "mantid":  # which says that there is no Mantid
        assert facts(tmp_path)["prefix"] == (str(prefix) if goes_on else sys.prefix)


def test_a_recording_is_read_where_livered_is(environ, tmp_path):
    (tmp_path / "c.toml").write_text('[mantid]\nenvironment = "/not/there"\n')
    (tmp_path / "x.adara").write_bytes(b"")
    result = livered(
        tmp_path, "run", "-i", "TST", "--config", "c.toml", "--source", "x.adara", environment=environ
    )
    assert "/not/there" not in result.stderr


def test_the_scripts_of_a_conda_environment_are_honoured(environ, tmp_path):
    root = tmp_path / "conda"
    prefix = as_conda(
        make_environment(root / "envs" / "mantid"), a='export FROM_SCRIPT="in $CONDA_DEFAULT_ENV"'
    )
    environ = {**environ, "CONDA_EXE": str(root / "bin" / "conda")}
    told = seen(livered(tmp_path, "run", "-i", "TST", "--env", "conda:mantid", environment=environ), tmp_path)
    assert told["prefix"] == told["environ"]["CONDA_PREFIX"] == str(prefix)
    assert told["environ"]["FROM_SCRIPT"] == "in mantid"


def test_a_pixi_workspace_is_an_environment(environ, tmp_path):
    make_environment(tmp_path / "w" / ".pixi" / "envs" / "default")
    prefix = as_pixi(tmp_path / "w", manifest='[activation.env]\nFACILITY = "SNS"\n')
    environ = {**environ, "LIVERED_MANTID__ENVIRONMENT": "pixi:w"}
    told = seen(livered(tmp_path, "run", "-i", "TST", environment=environ), tmp_path)
    assert (told["prefix"], told["environ"]["FACILITY"]) == (str(prefix), "SNS")


def test_its_own_python_without_activation_is_activated(environ, tmp_path):
    prefix = as_conda(make_environment(tmp_path / "m"), a="export FROM_SCRIPT=1")
    script = f"exec '{prefix}/bin/python' -m livered_core run -i TST --env '{prefix}'"
    with_it = {**environ, "CONDA_PREFIX": str(prefix)}
    for given, activated in ((environ, True), (with_it, False)):
        result = livered_by_shell(tmp_path, script, given)
        assert ("FROM_SCRIPT" in seen(result, tmp_path)["environ"]) is activated


def livered_by_shell(folder, script, environ):
    return subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )


def test_a_python_of_another_prefix_does_not_go_round_for_ever(env, environ, tmp_path):
    impostor = tmp_path / "impostor"
    (impostor / "bin").mkdir(parents=True)
    (impostor / "bin" / "python").write_text(f'#!/bin/sh\nexec "{env}/bin/python" "$@"\n')
    (impostor / "bin" / "python").chmod(0o755)
    result = livered(tmp_path, "run", "-i", "TST", "--env", str(impostor), environment=environ)
    assert result.returncode == 2
    assert result.stderr == (
        f"livered: The Python of the environment {impostor} says that it is that of {env}: "
        "repair the environment, or name another.\n"
    )


def test_another_version_there_is_said_and_no_error(environ, tmp_path):
    other = make_environment(tmp_path / "other", version="9.9")
    result = livered(tmp_path, "run", "-i", "TST", "--env", str(other), environment=environ)
    first, second = result.stderr.splitlines()
    assert first == (
        f"livered: livered is version 9.9 in the environment {other} (venv), "
        f"and {version('livered-core')} here; 9.9 runs."
    )
    assert second == "livered: plugins.tst: seen"


def test_what_is_missing_there_is_said_here(tmp_path):
    bare = make_environment(tmp_path / "bare", livered=False)
    result = livered(tmp_path, "run", "-i", "NOM", "--env", str(bare))
    assert result.returncode == 2
    assert result.stderr.splitlines() == [
        f"livered: {what} is not installed in the environment {bare} (venv): "
        f"`{bare}/bin/python -m pip install {name}` installs it."
        for what, name in (("livered-core", "livered-core"), ("The plugin of NOM", "livered-nom"))
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--env"], "--env without a name means the environment of the configuration, and it names none"),
        (
            ["--env", "/not/there"],
            "There is no folder /not/there, which should be an environment with Mantid.",
        ),
        (["--env", "conda:nothing-at-all"], "No conda environment is called 'nothing-at-all'"),
    ],
)
def test_an_environment_that_is_none_ends_it(environ, tmp_path, arguments, sentence):
    result = livered(tmp_path, "run", "-i", "TST", *arguments, environment=environ)
    assert result.returncode == 2
    assert result.stderr.startswith(f"livered: {sentence}")
    assert not (tmp_path / "facts.json").exists()


def test_without_an_environment_nothing_changes(environ, tmp_path):
    assert "IN_LIVERED_ENVIRONMENT" not in os.environ
    told = seen(livered(tmp_path, "run", "-i", "TST", environment=environ), tmp_path)
    assert told["prefix"] == sys.prefix
    assert "PYTHONNOUSERSITE" not in told["environ"] or "PYTHONNOUSERSITE" in environ
