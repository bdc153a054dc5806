from __future__ import annotations

import os
import re
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from environment_support import as_conda, as_pixi, empty_environment, make_environment
from livered_core.config import Layer, merge
from livered_core.engine import installed as module
from livered_core.engine.environment import described, find_environment
from livered_core.engine.environment_choice import named_environment, unchecked_configuration, wanted_by
from livered_core.engine.installed import (
    Wanted,
    another_version,
    ask_installed,
    environment_report,
    missing,
)
from livered_core.errors import ConfigError

HERE = version("livered-core")
PYTHON = ".".join(map(str, sys.version_info[:3]))


@pytest.fixture(autouse=True)
def _of_tests_only(monkeypatch):
    """Nothing that tests put on the path is seen by an environment's Python."""
    monkeypatch.delenv("PYTHONPATH", raising=False)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return described(make_environment(tmp_path_factory.mktemp("full") / "env"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    return described(make_environment(tmp_path_factory.mktemp("bare") / "env", livered=False))


def test_the_python_of_an_environment_tells_what_is_there(full):
    told = ask_installed(full, os.environ)
    assert (told.python, told.livered) == (PYTHON, HERE)
    assert told.instruments["nom"] == ("livered-nom", version("livered-nom"))
    assert told.instruments["nomad"] == told.instruments["nom"]
    assert told.plugins["publish_monitor"] == ("livered-publish-monitor", version("livered-publish-monitor"))
    assert (told.mantid, told.mantid_error) == (None, "")
    assert another_version(full, told) is None


def test_another_version_of_livered_is_told(tmp_path):
    environment = described(make_environment(tmp_path / "env", version="9.9"))
    told = ask_installed(environment, os.environ)
    assert told.livered == "9.9"
    assert another_version(environment, told) == (
        f"livered is version 9.9 in the environment {environment}, and {HERE} here; 9.9 runs."
    )


def test_what_is_missing_is_one_sentence_each_with_what_to_type(bare):
    told = ask_installed(bare, os.environ)
    wanted = Wanted("NOM", ("mine", "nom", "other"), {"NOM": "livered-nom", "mine": "livered-mine"})
    type_this = f"`{bare.python} -m pip install"
    assert missing(bare, told, wanted) == [
        f"livered-core is not installed in the environment {bare}: {type_this} livered-core` installs it.",
        f"The plugin of NOM is not installed in the environment {bare}: {type_this} livered-nom` installs it.",
        f"Plugin 'mine' is not installed in the environment {bare}: {type_this} livered-mine` installs it.",
        f"Plugin 'other' is not installed in the environment {bare}: "
        f"{type_this} PACKAGE` installs the package that provides it.",
    ]


def test_nothing_is_missing_where_all_is_there(full):
    told = ask_installed(full, os.environ)
    assert missing(full, told, Wanted("Nomad", ("files", "publish_monitor", "nomad"))) == []


def test_what_to_type_fits_the_environment(tmp_path, bare, monkeypatch):
    told = ask_installed(bare, os.environ)
    empty_environment(tmp_path / "w" / ".pixi" / "envs" / "default")
    pixi = described(as_pixi(tmp_path / "w"))
    (sentence,) = missing(pixi, told, Wanted("NOM", (), {}))[:1]
    assert sentence.endswith(
        f"`pixi add --manifest-path {tmp_path / 'w' / 'pixi.toml'} --pypi livered-core` installs it."
    )
    monkeypatch.setattr(module.os, "access", lambda *_: False)
    for environment in (pixi, bare):
        (sentence,) = missing(environment, told, Wanted("NOM", (), {}))[:1]
        assert f"`{environment.python} -m venv --system-site-packages ~/livered-env`" in sentence
        assert "`~/livered-env/bin/python -m pip install livered-core` installs it." in sentence


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("#!/bin/sh\necho broken >&2; exit 3\n", r"python does not work \(status 3: broken\)"),
        ("#!/bin/sh\nkill -9 $$\n", r"does not work \(status -9: it said nothing\)"),
        ("#!/not/there\n", r"cannot be run \(No such file or directory\)"),
        ("#!/bin/sh\necho 'livered-answer {\"python\": [3, 8, 1]}'\n", r"has Python 3\.8\.1, and livered needs 3\.10 or newer"),
        ("#!/bin/sh\nexec sleep 1000\n", r"did not answer within 0\.5 s"),
    ],
)  # fmt: skip
def test_a_python_that_does_not_answer_is_said(tmp_path, script, sentence, monkeypatch):
    if "sleep" in script:
        monkeypatch.setattr(module, "TIMEOUT_S", 0.5)
    prefix = empty_environment(tmp_path / "env")
    (prefix / "bin" / "python").write_text(script)
    with pytest.raises(ConfigError, match=sentence):
        ask_installed(described(prefix), os.environ)
    lines, problems = environment_report(described(prefix), Wanted("NOM"), os.environ)
    assert lines == [("environment", str(prefix))]
    assert re.search(sentence, problems[0])


def mantid(folder, source):
    (folder / "mantid").mkdir()
    (folder / "mantid" / "__init__.py").write_text(source)
    return {**os.environ, "PYTHONPATH": str(folder)}


def test_the_report_says_what_is_there(full, tmp_path):
    environ = mantid(tmp_path, "print('Welcome to Mantid')\n__version__ = '6.14.0'\n")
    wanted = Wanted("NOM", ("publish_monitor", "mine"))
    lines, problems = environment_report(full, wanted, environ)
    assert lines == [
        ("environment", str(full)),
        ("python", f"{PYTHON} ({full.python})"),
        ("mantid", "6.14.0, in the environment"),
        ("livered", f"{HERE}, in the environment"),
        ("plugin", f"NOM (livered-nom {version('livered-nom')}), in the environment"),
        (
            "plugin",
            f"publish_monitor (livered-publish-monitor {version('livered-publish-monitor')}), in the environment",
        ),
    ]
    (problem,) = problems
    assert problem.startswith("Plugin 'mine' is not installed in the environment")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import no_such_library", r"ModuleNotFoundError: No module named 'no_such_library'"),
        ("import sys; sys.exit('no licence')", "SystemExit: no licence"),
        ("import os; os.abort()", "Python ended with status -6"),
    ],
)
def test_the_report_says_why_mantid_does_not_import(full, tmp_path, source, why):
    _, problems = environment_report(full, Wanted("NOM"), mantid(tmp_path, source))
    (problem,) = problems
    assert problem.startswith(f"Mantid does not import in the environment {full} ({why}")
    assert problem.endswith("): install it there, or name another environment.")


def test_the_report_runs_the_scripts_of_the_environment(tmp_path):
    prefix = make_environment(tmp_path / "envs" / "m")
    (tmp_path / "m").mkdir()
    as_conda(prefix, a=f"export PYTHONPATH='{tmp_path / 'm'}'")
    mantid(tmp_path / "m", "import os; __version__ = os.environ['CONDA_DEFAULT_ENV']")
    lines, problems = environment_report(described(prefix), Wanted("NOM"), os.environ)
    assert ("mantid", "m, in the environment") in lines
    assert problems == []


def configuration(tmp_path, text):
    (tmp_path / "c.toml").write_text(text)
    environ = {"HOME": str(tmp_path)}
    return unchecked_configuration("nomad", tmp_path / "c.toml", {"backend": None}, environ), environ


def test_a_configuration_names_its_environment_relative_to_its_file(tmp_path):
    empty_environment(tmp_path / "env")
    merged, environ = configuration(tmp_path, '[mantid]\nenvironment = "env"\n[plugins.mine]\nodd = 1\n')
    found = named_environment(merged, environ)
    assert found == find_environment(str(tmp_path / "env"), environ)
    wanted = wanted_by(merged)
    assert (wanted.instrument, wanted.plugins) == ("NOM", ("mine",))
    assert wanted.distributions["NOM"] == "livered-nom"


def test_a_plugin_that_is_installed_only_there_is_no_hindrance(tmp_path):
    merged = unchecked_configuration("abc", None, {}, {"HOME": str(tmp_path), "LIVERED_BACKEND": "mantid"})
    assert merged.values == {"backend": "mantid", "instrument": "abc"}
    assert named_environment(merged, {}) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            '[mantid]\nenvironment = "conda:nothing-at-all"',
            r"mantid\.environment \(.*c\.toml\): No conda environment",
        ),
        (
            "[mantid]\nenvironment = 3",
            r"mantid\.environment \(.*c\.toml\) must be text such as conda:mantid, not 3\.",
        ),
    ],
)
def test_a_wrong_environment_is_said_with_its_origin(tmp_path, text, sentence):
    merged, environ = configuration(tmp_path, text)
    with pytest.raises(ConfigError, match=sentence):
        named_environment(merged, environ)


def test_a_table_that_is_none_is_left_to_the_check_of_the_configuration():
    merged = merge([Layer("x", {"instrument": "NOM", "mantid": 1, "plugins": 2}, Path.cwd())])
    assert named_environment(merged, {}) is None
    assert wanted_by(merged).plugins == ()
