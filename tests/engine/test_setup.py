"""An instrument without a plugin of its own is run by a plugin that reduces the data of any."""

from __future__ import annotations

import pytest

from livered_core import ConfigError, PluginLoadError
from livered_core.clocks import SystemClock
from livered_core.config import describe
from livered_core.engine.environment_choice import wanted_by
from livered_core.engine.setup import load_configuration, make_plugins
from livered_core.hooks.dispatch import Dispatcher
from livered_support import private_environment

MODULE = """
    from livered_core import hookimpl
    class Instrument:
        @hookimpl
        def process_chunk(self, chunk): return 1
    class Reducer:
        @hookimpl
        def process_chunk(self, chunk): return 1
    class Wrapper:
        @hookimpl(wrapper=True)
        def process_chunk(self, chunk): return (yield)
    class Sink:
        @hookimpl
        def post_publish(self, result): pass
"""


@pytest.fixture
def load(tmp_path, install):
    points = {
        "livered.instruments": ["TST = setup_plugins:Instrument"],
        "livered.plugins": [
            f"{name} = setup_plugins:{name.title()}" for name in ("reducer", "wrapper", "sink")
        ],
    }
    install("livered-setup-test", {"setup_plugins.py": MODULE}, points)

    def loaded(instrument, config):
        (tmp_path / "c.toml").write_text(config)
        return load_configuration(instrument, tmp_path / "c.toml", {}, private_environment(tmp_path))

    return loaded


def test_an_instrument_that_nobody_claims_runs_with_a_plugin_that_reduces(load):
    loaded = load("PG3", "[plugins.reducer]")
    assert loaded.instrument is None
    assert loaded.instrument_settings is None
    assert loaded.config.instrument == "PG3"
    assert [plugin.name for plugin in make_plugins(loaded, "native")] == ["files", "reducer"]


@pytest.mark.parametrize("config", ["", "[plugins.sink]", "[plugins.wrapper]"])
def test_without_one_it_stays_unknown(load, config):
    with pytest.raises(PluginLoadError, match=r"Unknown instrument 'TTS' \(did you mean TST\?\)"):
        load("TTS", config)


def test_without_one_all_problems_are_said(load):
    with pytest.raises(ConfigError) as caught:
        load("TTS", "[plugins.reduser]")
    unknown, missing = caught.value.problems
    assert "Unknown instrument 'TTS'" in unknown
    assert "did you mean 'reducer'?" in missing


def test_where_both_reduce_the_configuration_says_who(load):
    with pytest.raises(
        ConfigError, match=r"both implement process_chunk: say which one owns it with hooks\.owner"
    ):
        make_plugins(load("TST", "[plugins.reducer]"), "native")
    loaded = load("TST", '[plugins.reducer]\n[hooks.owner]\nprocess_chunk = "reducer"')
    assert loaded.instrument.instrument == "TST"
    assert len(make_plugins(loaded, "native")) == 3


class TestScripts:
    """The plugin of livered's own that reduces the data of any instrument, with scripts."""

    def test_it_is_checked_before_it_runs(self, load, tmp_path):
        (tmp_path / "wrong.py").write_text("output = input\nx = = 1\n")
        loaded = load("PG3", '[plugins.scripts]\nprocess = "wrong.py"\npost_process = "nix.py"')
        with pytest.raises(ConfigError) as caught:
            make_plugins(loaded, "mantid")
        wrong, missing = caught.value.problems
        assert wrong == f"plugins.scripts: {tmp_path}/wrong.py line 2 is not valid Python: invalid syntax."
        assert missing.startswith(
            f"plugins.scripts: The script {tmp_path}/nix.py cannot be read (No such file"
        )

    def test_it_needs_mantid_and_a_script(self, load, tmp_path):
        (tmp_path / "right.py").write_text("output = input\n")
        loaded = load("PG3", '[plugins.scripts]\nprocess = "right.py"')
        with pytest.raises(
            ConfigError, match='works on mantid data and the backend is native: choose backend = "mantid"'
        ):
            make_plugins(loaded, "native")
        assert [plugin.name for plugin in make_plugins(loaded, "mantid")] == ["files", "scripts"]
        with pytest.raises(ConfigError, match=r"plugins\.scripts .* must name a script"):
            load("PG3", "[plugins.scripts]")
        with pytest.raises(ConfigError, match=r"plugins\.scripts\.accumulate .*add"):
            load("PG3", '[plugins.scripts]\nprocess = "right.py"\naccumulate = "Add"')

    def test_beside_nomad_s_plugin_it_must_be_named_as_the_owner(self, load, tmp_path):
        (tmp_path / "right.py").write_text("output = input\n")
        scripts = '[plugins.scripts]\nprocess = "right.py"\n'
        with pytest.raises(ConfigError, match="both implement process_chunk"):
            make_plugins(load("TST", scripts), "mantid")
        owned = "".join(f'{hook} = "scripts"\n' for hook in ("process_chunk", "accumulate", "post_process"))
        assert len(make_plugins(load("TST", f"{scripts}[hooks.owner]\n{owned}"), "mantid")) == 3


class TestAPluginThatRunsSeveralTimes:
    """A table says which plugin runs under its name."""

    TWICE = '[plugins.sink]\n[plugins.second]\nplugin = "sink"\n'

    def test_each_table_is_a_plugin_of_its_own(self, load):
        plugins = make_plugins(load("TST", self.TWICE), "native")
        assert [plugin.name for plugin in plugins] == ["tst", "files", "sink", "second"]
        first, second = plugins[2:]
        assert type(first.instance) is type(second.instance)
        assert first.instance is not second.instance
        assert second.distribution == "livered-setup-test"
        assert Dispatcher(plugins, {}, SystemClock()).sinks == ("files", "sink", "second")

    def test_each_has_settings_of_its_own(self, load, tmp_path):
        config = f'[plugins.files]\ndirectory = "a"\n[plugins.copies]\nplugin = "files"\ndirectory = "{tmp_path}/b"\n'
        loaded = load("TST", config)
        assert loaded.config.plugins["files"].directory == tmp_path / "a"
        assert loaded.config.plugins["copies"].directory == tmp_path / "b"
        rows = {row.path: row for row in describe(loaded.config, loaded.merged)}
        assert rows["plugins.copies.plugin"].value == "files"
        assert rows["plugins.copies.plugin"].origin == str(tmp_path / "c.toml")
        assert "plugins.files.plugin" not in rows

    def test_one_of_them_alone_needs_no_table_of_the_plugin_s_own_name(self, load):
        plugins = make_plugins(load("TST", '[plugins.second]\nplugin = "sink"'), "native")
        assert [plugin.name for plugin in plugins] == ["tst", "files", "second"]

    def test_a_plugin_s_own_name_may_be_said(self, load):
        plugins = make_plugins(load("TST", '[plugins.sink]\nplugin = "sink"'), "native")
        assert [plugin.name for plugin in plugins] == ["tst", "files", "sink"]

    def test_the_environment_may_say_it(self, load, tmp_path, monkeypatch):
        (tmp_path / "c.toml").write_text("")
        environ = {**private_environment(tmp_path), "LIVERED_PLUGINS__SECOND__PLUGIN": "sink"}
        loaded = load_configuration("TST", tmp_path / "c.toml", {}, environ)
        assert [entry.name for entry, _ in loaded.plugins] == ["tst", "files", "second"]
        assert wanted_by(loaded.merged).plugins == ("sink",)

    @pytest.mark.parametrize(
        ("config", "says"),
        [
            (
                '[plugins.second]\nplugin = "snik"',
                r"'snik' is wanted by \[plugins\.second\] .*did you mean 'sink'",
            ),
            (
                "[plugins.second]\nplugin = 3",
                r"plugins\.second\.plugin \(.*c\.toml\) must be the name of a plugin",
            ),
            ('[plugins.second]\nplugin = ""', "must be the name of a plugin"),
            ('[plugins.reducer]\nplugin = "sink"', "reducer is the name of a plugin itself"),
            (
                '[plugins.files]\nplugin = "sink"',
                r"plugins\.files\.plugin \(.*\): files is the name of a plugin",
            ),
            ('[plugins.tst]\nplugin = "sink"', "tst is the name of a plugin itself"),
            ('[plugins."../up"]\nplugin = "sink"', "name the table with letters"),
            ('[plugins."a b"]\nplugin = "sink"', "name the table with letters"),
            ('[plugins.second]\nplugin = "sink"\nwrong = 1', r"plugins\.second\.wrong .*is not a key"),
        ],
    )
    def test_what_cannot_be_is_said(self, load, config, says):
        with pytest.raises(ConfigError, match=says) as caught:
            load("TST", config)
        assert len(caught.value.problems) == 1
