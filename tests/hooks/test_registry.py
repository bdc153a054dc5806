from __future__ import annotations

import re
from types import SimpleNamespace

import attrs
import pytest

from hooks_support import plugin
from livered_core import ConfigError, PluginLoadError, hookimpl
from livered_core.hooks.registry import (
    distribution_of,
    find_instrument,
    find_plugins,
    instantiate,
    load_class,
    module_of,
    packaged_defaults,
    session_problems,
)
from livered_core.hooks.reloading import installed_packages, plugin_packages
from livered_core.testing.named import find_entry

GOOD = """
    import attrs
    from livered_core import hookimpl

    @attrs.define(eq=False)
    class Plugin:
        @hookimpl
        def run_started(self, run):
            pass
"""


def test_an_instrument_is_found_by_name_alias_and_case(install):
    points = ["TST = tst_plugin:Plugin", "TESTER = tst_plugin:Plugin"]
    install("livered-tst", {"tst_plugin.py": GOOD}, {"livered.instruments": points})
    for name in ("TST", "tst", "Tester"):
        entry = find_instrument(name)
        assert (entry.name, entry.instrument) == ("tst", "TST")
        assert (entry.distribution, entry.version) == ("livered-tst", "1.0")


def test_what_is_no_place_of_a_class_is_the_trouble_of_that_plugin_alone(install):
    groups = {"livered.plugins": ["odd = not a class!"], "livered.instruments": ["ODD = not a class!"]}
    install("livered-odd", {}, groups)
    assert "livered_nom" in installed_packages()
    assert find_entry("livered_nom").name == "nom"
    odd = find_instrument("ODD")
    assert module_of(odd.entry_point) == ""
    assert plugin_packages([odd.entry_point]) == ()
    for load in (load_class, packaged_defaults):
        with pytest.raises(PluginLoadError, match="must name a class as module:Class"):
            load(odd)


def test_the_nomad_plugin_is_found_under_both_names():
    assert find_instrument("NOMAD").instrument == find_instrument("nom").instrument == "NOM"


def test_an_unknown_instrument_names_the_known_ones(install):
    install("livered-tst", {"tst_plugin.py": GOOD}, {"livered.instruments": ["TST = tst_plugin:Plugin"]})
    with pytest.raises(
        PluginLoadError, match=r"Unknown instrument 'TTS' \(did you mean TST\?\); known here: .*TST"
    ):
        find_instrument("TTS")


def test_two_distributions_that_claim_an_instrument_are_both_named(install):
    for number in (1, 2):
        module = f"tst{number}"
        install(
            f"livered-{module}", {f"{module}.py": GOOD}, {"livered.instruments": [f"TST = {module}:Plugin"]}
        )
    with pytest.raises(PluginLoadError, match=r"livered-tst1 1\.0 .* and livered-tst2 1\.0"):
        find_instrument("TST")


def test_every_plugin_that_is_wanted_and_missing_is_said_at_once(install):
    install("livered-x", {"x_plugin.py": GOOD}, {"livered.plugins": ["printer = x_plugin:Plugin"]})
    with pytest.raises(ConfigError) as caught:
        find_plugins(["pritner", "nothing_like_it", "printer"])
    first, second = caught.value.problems
    assert "did you mean 'printer'?" in first
    assert "'nothing_like_it'" in second
    assert "did you mean" not in second


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("raise RuntimeError('no luck')", "cannot be loaded: RuntimeError: no luck"),
        ("raise SystemExit(3)", "cannot be loaded: SystemExit: 3"),
        ("import not_there_at_all", "cannot be loaded: ModuleNotFoundError"),
        ("class Other: pass", "cannot be loaded: AttributeError"),
        ("Plugin = 3", "is a int: its entry point must name a class"),
        ("class Plugin: pass", "implements no hook"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_named_with_distribution_version_and_cause(
    install, source, sentence
):
    install("livered-bad", {"bad_plugin.py": source}, {"livered.plugins": ["bad = bad_plugin:Plugin"]}, "2.3")
    (entry,) = find_plugins(["bad"])
    with pytest.raises(PluginLoadError) as caught:
        load_class(entry)
    assert "bad (livered-bad 2.3, bad_plugin:Plugin)" in str(caught.value)
    assert sentence in str(caught.value)


def _load(install, body):
    indented = "\n".join("        " + line for line in body.strip().splitlines())
    source = f"\n    from livered_core import hookimpl\n    class Plugin:\n{indented}\n"
    install("livered-h", {"h_plugin.py": source}, {"livered.plugins": ["h = h_plugin:Plugin"]})
    (entry,) = find_plugins(["h"])
    return load_class(entry)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("@hookimpl\ndef proces_chunk(self, chunk): pass", r"no such hook: did you mean process_chunk\?"),
        ("@hookimpl\ndef zzz(self): pass", "no such hook: the hooks are"),
        ("def run_started(self, run): pass", "is the name of a hook and is not marked"),
        ("@hookimpl\ndef run_started(self, rum): pass", "asks for rum, .* arguments are run"),
        (
            "@hookimpl(wrapper=True)\ndef run_started(self, run): yield",
            "only process_chunk, .* can be wrapped",
        ),
        (
            "@hookimpl(hookwrapper=True)\ndef process_chunk(self, chunk): yield",
            r"write @hookimpl\(wrapper=True\)",
        ),
        ("@hookimpl(wrapper=True)\ndef process_chunk(self, chunk): return 1", "never yields"),
    ],
)
def test_a_wrong_hook_is_an_error_at_start(install, body, sentence):
    with pytest.raises(PluginLoadError) as caught:
        _load(install, body)
    assert re.search(sentence, str(caught.value))


def test_packaged_defaults_come_from_the_top_level_package(install):
    modules = {
        "pkg_tst/__init__.py": "",
        "pkg_tst/inner.py": GOOD,
        "pkg_tst/defaults.toml": 'address = "a:1"\n',
    }
    site = install("livered-pkg", modules, {"livered.instruments": ["PKG = pkg_tst.inner:Plugin"]})
    defaults = packaged_defaults(find_instrument("PKG"))
    assert defaults is not None
    assert defaults.text == 'address = "a:1"\n'
    assert defaults.origin == "packaged defaults of livered-pkg 1.0"
    assert defaults.folder == site / "pkg_tst"


def test_a_plugin_without_packaged_defaults_has_none(install):
    modules = {"pkg_none/__init__.py": GOOD}
    install("livered-none", modules, {"livered.instruments": ["NONE = pkg_none:Plugin"]})
    assert packaged_defaults(find_instrument("NONE")) is None


def test_a_constructor_that_fails_is_the_plugins_error(install):
    source = GOOD + "\n        def __attrs_post_init__(self):\n            raise ValueError('bad day')\n"
    install("livered-c", {"c_plugin.py": source}, {"livered.plugins": ["c = c_plugin:Plugin"]})
    (entry,) = find_plugins(["c"])
    with pytest.raises(PluginLoadError, match=r"c \(livered-c 1\.0.*cannot be set up: ValueError: bad day"):
        instantiate(entry, load_class(entry), None)


def test_settings_are_handed_to_the_constructor(install):
    source = """
        import attrs
        from livered_core import hookimpl

        @attrs.frozen
        class Settings:
            depth: int = 1

        @attrs.define(eq=False)
        class Plugin:
            settings_class = Settings
            data_models = ("native",)
            settings: Settings

            @hookimpl
            def run_started(self, run):
                pass
    """
    install("livered-s", {"s_plugin.py": source}, {"livered.plugins": ["s = s_plugin:Plugin"]})
    (entry,) = find_plugins(["s"])
    cls = load_class(entry)
    loaded = instantiate(entry, cls, cls.settings_class(depth=7))
    assert loaded.instance.settings.depth == 7
    assert loaded.data_models == ("native",)


class _Reduces:
    @hookimpl
    def process_chunk(self, chunk):
        return chunk


class _ReducesToo:
    @hookimpl
    def process_chunk(self, chunk):
        return chunk


class _Wraps:
    @hookimpl(wrapper=True)
    def process_chunk(self, chunk):
        return (yield)


def test_two_owners_of_a_transform_are_named_with_the_key_that_settles_it():
    plugins = [plugin("one", _Reduces()), plugin("two", _ReducesToo()), plugin("wrap", _Wraps())]
    (problem,) = session_problems(plugins, {}, "native")
    assert "one (dist-of-one 1.0) and two (dist-of-two 1.0)" in problem
    assert 'hooks.owner.process_chunk = "one"' in problem
    assert session_problems(plugins, {"process_chunk": "two"}, "native") == []


def test_an_owner_that_does_not_own_is_a_problem():
    plugins = [plugin("one", _Reduces()), plugin("wrap", _Wraps())]
    (problem,) = session_problems(plugins, {"process_chunk": "wrap"}, "native")
    assert 'hooks.owner.process_chunk = "wrap"' in problem
    assert "one implements process_chunk" in problem


def test_a_plugin_for_another_data_model_is_refused():
    other = attrs.evolve(plugin("one", _Reduces()), data_models=("mantid",))
    (problem,) = session_problems([other], {}, "native")
    assert "works on mantid data and the backend is native" in problem


def test_a_misspelt_table_may_mean_the_instruments_plugin(install):
    install("livered-other", {"other.py": GOOD}, {"livered.plugins": ["printer = other:Plugin"]})
    with pytest.raises(
        ConfigError, match=r"wanted by \[plugins\.TOFMONN\] and not installed \(did you mean 'tofmon'\?\)"
    ):
        find_plugins(["TOFMONN"], beside=["tofmon"])


@pytest.mark.parametrize(
    "declared", ['"native"', '("nativ",)', "()", "None"], ids=["text", "misspelt", "empty", "none"]
)
def test_data_models_that_cannot_be_are_refused(install, declared):
    source = GOOD.replace("class Plugin:", f"class Plugin:\n        data_models = {declared}\n")
    install("livered-other", {"other.py": source}, {"livered.plugins": ["printer = other:Plugin"]})
    (entry,) = find_plugins(["printer"])
    with pytest.raises(PluginLoadError, match=r"data_models is .*: give a tuple of .native. and .mantid."):
        load_class(entry)


class WithoutMetadata:
    """A distribution of importlib_metadata, which raises where that of the standard library returns nothing."""

    @property
    def metadata(self):
        raise FileNotFoundError


def test_a_distribution_that_raises_for_its_missing_metadata_has_no_name():
    assert distribution_of(SimpleNamespace(dist=WithoutMetadata())) == ("", "")
