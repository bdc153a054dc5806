from __future__ import annotations

import functools
import importlib
import sys
import time

import attrs
import pytest

from hooks_support import Recorder, plugin
from livered_core import hookimpl
from livered_core.config import Config
from livered_core.engine.fingerprint import NOT_REDUCTION, allowed_modules, code_digest, fingerprint, in_force
from livered_core.engine.setup import load_configuration, make_plugins
from livered_core.hooks.registry import LoadedPlugin
from livered_core.reduction.checkpoint import differences


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Make the fingerprint of NOM with a configuration."""
    # The code may be edited while the tests run.
    monkeypatch.setattr("livered_core.engine.fingerprint.code_digest", functools.cache(code_digest))

    def make(text: str = "", *more: LoadedPlugin) -> dict[str, str]:
        path = tmp_path / "NOM.toml"
        path.write_text(text)
        loaded = load_configuration("NOM", path, {}, {"HOME": str(tmp_path)})
        return fingerprint(loaded, [*make_plugins(loaded, "native"), *more])

    return make


def test_it_names_its_parts_and_is_always_the_same(made):
    first = made()
    assert list(first) == [
        "the configuration",
        "the choice of plugins",
        "the code of livered",
        "the version of Python or numpy",
        "the settings of plugin nom",
        "the code of plugin nom",
    ]
    assert all(len(digest) == 64 for digest in first.values())
    assert made() == first


@pytest.mark.parametrize(
    ("text", "differ"),
    [
        ("from_start_of_run = false", ["the configuration"]),
        ('address = "elsewhere:31415"', ["the configuration"]),
        ('[hooks.owner]\nprocess_chunk = "nom"', ["the configuration"]),
        ("[source]\nleave_out_vetoed = true", ["the configuration"]),
        ("[plugins.nom]\nmonitor = 2", ["the settings of plugin nom"]),
        ('[plugins.nom]\ncalibration = "other.h5"', ["the settings of plugin nom"]),
        ("update_every = 10.0", []),
        ("max_chunk_events = 5", []),
        ('run_transition = "keep"', []),
        ('output_dir = "/elsewhere"', []),
        ('[log]\nlevel = "DEBUG"', []),
        ("[checkpoint]\nevery = 5.0", []),
        ("[dashboard]\nport = 1234", []),
        ("[publish]\nretry_first = 2.0", []),
        ("[simulate]\nrun_length = 7.0", []),
        ("[plugins.files]", []),
    ],
)
def test_it_changes_with_what_the_data_depend_on(made, monkeypatch, text, differ):
    # Whether the files are there is not looked at here.
    monkeypatch.setattr("livered_core.engine.setup.plugin_problems", lambda plugin: [])
    assert differences(made(), made(text)) == differ


def test_what_counts_from_the_next_start_is_as_at_this_one(tmp_path):
    """The source takes pulses as at the start, whatever a file that was taken up says of it."""

    def loaded(text):
        path = tmp_path / "NOM.toml"
        path.write_text(text)
        return load_configuration("NOM", path, {}, {"HOME": str(tmp_path)})

    before = loaded("")
    after = loaded("[source]\nkeep_paused = true\n[plugins.nom]\nmonitor = 2")
    plugins = make_plugins(after, "native")
    made, restarted = fingerprint(in_force(before, after), plugins), fingerprint(after, plugins)
    assert differences(made, restarted) == ["the configuration"]
    assert differences(made, fingerprint(before, plugins)) == ["the settings of plugin nom"]


def test_sinks_do_not_count(made):
    sink = Recorder("sink", [])
    assert differences(made(), made("", sink)) == []


class Wraps:
    @hookimpl(wrapper=True)
    def post_process(self):
        return (yield)


class Keeps:
    def save_state(self):
        return 1

    def restore_state(self, state):
        pass


@pytest.mark.parametrize("cls", [Wraps, Keeps])
def test_wrappers_and_what_keeps_a_state_do(made, cls):
    assert differences(made(), made("", plugin("other", cls()))) == [
        "the choice of plugins",
        "the settings of plugin other",
        "the code of plugin other",
    ]


def test_the_version_of_a_plugin_counts(made):
    old, new = plugin("other", Wraps()), attrs.evolve(plugin("other", Wraps()), version="2.0")
    assert differences(made("", old), made("", new)) == ["the code of plugin other"]


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "package_of_a_plugin"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text("x = 1\n")
    (folder / "inner" / "__init__.py").write_text("")
    (folder / "inner" / "table.xml").write_text("<a/>")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module(folder.name)
    yield folder
    sys.modules.pop(folder.name)


@pytest.mark.parametrize(
    ("name", "content", "counts"),
    [
        ("__init__.py", "x = 2\n", True),
        ("inner/__init__.py", "# a remark", True),
        ("inner/table.xml", "<b/>", True),
        ("inner/added.py", "", True),
        ("defaults.toml", "", True),
        ("notes.txt", "x", False),
        ("__pycache__/__init__.cpython-311.py", "x", False),
    ],
)
def test_any_change_of_the_code_counts(package, name, content, counts):
    before = code_digest(package.name)
    (package / name).parent.mkdir(exist_ok=True)
    (package / name).write_text(content)
    assert (code_digest(package.name) != before) == counts


def test_a_file_that_is_moved_counts(package):
    before = code_digest(package.name)
    (package / "inner" / "table.xml").rename(package / "table.xml")
    assert code_digest(package.name) != before


def test_it_does_not_matter_where_the_code_is(package, tmp_path, monkeypatch):
    before = code_digest(package.name)
    package.rename(tmp_path / "elsewhere")
    monkeypatch.setattr(sys.modules[package.name], "__path__", [str(tmp_path / "elsewhere")])
    assert code_digest(package.name) == before


def test_code_that_cannot_be_read_is_the_same_as_none(package):
    assert code_digest("no_such_package") != code_digest("no_such_package")
    (package / "__init__.py").unlink()
    (package / "__init__.py").symlink_to("nothing")
    assert code_digest(package.name) != code_digest(package.name)


def test_a_single_module_and_what_is_inherited():
    assert code_digest("hooks_support") == code_digest("hooks_support")
    mine = plugin("mine", type("Mine", (Wraps,), {"__module__": "hooks_support"})())
    assert allowed_modules([mine]) == {"livered_core", "hooks_support", Wraps.__module__.partition(".")[0]}


def test_it_takes_little_time():
    begun = time.process_time()
    code_digest("livered_core")
    assert time.process_time() - begun < 1.0


def test_what_is_left_out_are_keys_of_the_configuration():
    assert {field.name for field in attrs.fields(Config)} >= NOT_REDUCTION
