"""Plugins with a class, a package or settings that are wrong, each of which must be caught."""

# ruff: noqa: RUF009  (attrs.field, with what each has)
from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import attrs
import pytest

from checks_support import DATA, IN_PROCESS, Good, assert_wrong, look
from livered_core import hookimpl
from livered_core.testing import find_plugin
from livered_core.testing.checks import Verdict, budget, check_plugin, problems
from livered_core.testing.checks.subject import Subject


def test_with_a_good_plugin_nothing_is_wrong():
    findings = check_plugin(Good, data=DATA, only=IN_PROCESS)
    assert problems(findings) == []
    assert [finding.check for finding in findings] == list(IN_PROCESS)
    said = {finding.check: finding.verdict for finding in findings}
    assert said["order of chunks"] is Verdict.OK
    assert said["settings class"] is Verdict.NOT_APPLICABLE


class Misspelt(Good):
    @hookimpl
    def proces_chunk(self, chunk):
        return chunk


class WrongArgument(Good):
    @hookimpl
    def run_started(self, runs):
        pass


@pytest.mark.parametrize(
    ("plugin", "said"),
    [(Misspelt, "did you mean process_chunk?"), (WrongArgument, "run_started asks for runs")],
)
def test_wrong_hooks_are_caught_and_nothing_is_run(plugin, said):
    assert_wrong(look(plugin, "hooks"), said)
    assert look(plugin, "order of chunks").verdict is Verdict.NOT_TRIED


PLUGIN = """
    from livered_core import hookimpl

    class Sink:
        @hookimpl
        def post_publish(self, result):
            pass

    class Other(Sink):
        pass
    """


def test_an_entry_point_that_cannot_be_written_is_caught(install):
    install("dist-of-sink", {"my_sink.py": PLUGIN}, {"livered.plugins": ["my.sink = my_sink:Sink"]})
    (finding,) = check_plugin(find_plugin("my.sink"), data=DATA, only=["entry point"])
    assert_wrong(finding, "the name is none that can be written as [plugins.my.sink]")


def test_an_entry_point_that_names_another_class_is_caught(install):
    install("dist-of-sink", {"my_sink.py": PLUGIN}, {"livered.plugins": ["my_sink = my_sink:Sink"]})
    import my_sink

    named = attrs.evolve(find_plugin("my_sink"), plugin_class=my_sink.Other)
    (finding,) = check_plugin(named, data=DATA, only=["entry point"])
    assert_wrong(finding, "names something else than Other")


def test_a_package_that_does_not_say_what_it_needs_is_caught(install):
    lines = {"livered.plugins": ["my_sink = my_sink:Sink"]}
    install("dist-of-sink", {"my_sink.py": PLUGIN}, lines, version="0.0.0")
    (finding,) = check_plugin(find_plugin("my_sink"), data=DATA, only=["distribution"])
    assert_wrong(finding, "dist-of-sink has version 0.0.0")
    assert "dist-of-sink does not say that it needs livered-core." in finding.sentence


def test_a_package_without_metadata_is_caught(install):
    site = install("dist-of-sink", {"my_sink.py": PLUGIN}, {"livered.plugins": ["my_sink = my_sink:Sink"]})
    (site / "dist_of_sink-1.0.dist-info" / "METADATA").unlink()
    (finding,) = check_plugin(find_plugin("my_sink"), data=DATA, only=["distribution"])
    assert_wrong(finding, "the installed package has no metadata")


@pytest.mark.parametrize(
    ("defaults", "said"),
    [
        ("updat_every = 3.0", "did you mean update_every?"),
        ('[simulate]\nidf = "nowhere.xml"', "simulate.idf names "),
        ('[plugins.xyz]\nspeed = "fast"', "is not a key: this plugin has no settings"),
    ],
)
def test_packaged_defaults_that_are_none_are_caught(install, defaults, said):
    files = {"livered_xyz/__init__.py": PLUGIN, "livered_xyz/defaults.toml": defaults}
    install("dist-of-xyz", files, {"livered.instruments": ["XYZ = livered_xyz:Sink"]})
    (finding,) = check_plugin(find_plugin("XYZ"), data=DATA, only=["packaged defaults"])
    assert_wrong(finding, said)


WITH_SETTINGS = """
    import attrs
    from livered_core import hookimpl

    @attrs.frozen
    class Settings:
        seconds: float = 1.0

    class Sink:
        settings_class = Settings

        def __init__(self, settings):
            pass

        @hookimpl
        def post_publish(self, result):
            pass
    """


@pytest.mark.parametrize("seconds", ["2.0", '"two"'])
def test_packaged_defaults_may_set_what_the_plugin_has(install, seconds):
    files = {
        "livered_xyz/__init__.py": WITH_SETTINGS,
        "livered_xyz/defaults.toml": f"[plugins.xyz]\nseconds = {seconds}",
    }
    install("dist-of-xyz", files, {"livered.instruments": ["XYZ = livered_xyz:Sink"]})
    (finding,) = check_plugin(find_plugin("XYZ"), data=DATA, only=["packaged defaults"])
    if seconds == "2.0":
        assert finding.verdict is Verdict.OK
    else:
        assert_wrong(finding, "plugins.xyz.seconds (packaged defaults of dist-of-xyz 1.0) must be a number")


class SaysNoModel:
    process_chunk = Good.process_chunk


class SaysText(Good):
    data_models = "native"


class SaysOther(Good):
    data_models = ("native", "scipp")


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (SaysNoModel, "the class does not say what data it works on"),
        (SaysText, "data_models is 'native'"),
        (SaysOther, "data_models is ('native', 'scipp')"),
    ],
)
def test_data_models_that_are_not_said_are_caught(plugin, said):
    assert_wrong(look(plugin, "data models"), said)


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (budget.Import(0.1, ("my_plugin", "numba", "scipp")), "imports numba, scipp"),
        (budget.Import(2.5, ("my_plugin",)), "takes 2.5 s, and 2 s are budgeted"),
    ],
)
def test_a_heavy_import_is_caught(measured, said):
    from livered_core.testing import make_run

    subject = Subject(Good, "good", None, None, "", make_run(), ())
    assert said in budget.imports(subject, lambda _: measured).sentence
    assert budget.imports(subject, lambda _: budget.Import(0.1, ("numpy",))).verdict is Verdict.OK


def test_an_import_is_measured_in_a_process_of_its_own(install):
    install("heavy", {"heavy.py": "import xarray", "xarray.py": ""}, {})
    measured = budget.measure_import("heavy")
    assert "xarray" in measured.packages
    assert 0 < measured.seconds < 60


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("from livered_core.hooks.markers import SKIP", "it imports livered_core.hooks (in inner.py)"),
        ("import livered_core.engine.brief as brief", "it imports livered_core.engine (in inner.py)"),
        ("from livered_core import publish", "it imports livered_core.publish (in inner.py)"),
    ],
)
def test_a_name_that_is_not_public_is_caught(install, line, said):
    files = {"my_sink/__init__.py": "", "my_sink/sink.py": PLUGIN, "my_sink/inner.py": line}
    install("dist-of-sink", files, {"livered.plugins": ["my_sink = my_sink.sink:Sink"]})
    (finding,) = check_plugin(find_plugin("my_sink"), data=DATA, only=["public names"])
    assert_wrong(finding, said)


def test_names_between_are_told():
    (finding,) = check_plugin(find_plugin("publish_monitor"), data=DATA, only=["public names"])
    assert finding.verdict is Verdict.OK
    assert "livered_core.clocks" in finding.sentence


def with_settings(cls: type, **methods: Any) -> type:
    """Make a plugin with settings."""
    return type("WithSettings", (_WithSettings,), {"settings_class": cls, **methods})


class _WithSettings(Good):
    def __init__(self, settings):
        self.settings = settings


def setting(default: Any = attrs.NOTHING, **metadata: str) -> Any:
    about = {"help": "what it is for", "unit": "s", **metadata}
    return attrs.field(
        default=default, metadata={key: value for key, value in about.items() if value != "none"}
    )


@attrs.frozen
class Settings:
    seconds: float = setting(1.0)
    names: tuple[str, ...] = setting(("a", "b"))
    kind: Literal["one", "two"] = setting("one")
    place: Path | None = setting(None)


SETTINGS_CHECKS = ("settings class", "settings explained", "settings' defaults", "settings strict")


def test_good_settings_are_well():
    findings = check_plugin(with_settings(Settings), data=DATA, only=SETTINGS_CHECKS)
    assert [finding.verdict for finding in findings] == [Verdict.OK] * 4


class Plain:
    seconds = 1.0


@attrs.define
class Open:
    seconds: float = setting(1.0)


@attrs.frozen
class WithOpenTable:
    table: Open = setting(Open())


@attrs.frozen
class Shared:
    names: list[str] = setting(["a"])


@attrs.frozen
class TakesOurName:
    plugin: str = setting("a")


@attrs.frozen
class Unexplained:
    seconds: float = setting(1.0, help="none")


@attrs.frozen
class NoUnit:
    widths: tuple[float, ...] = setting((1.0,), unit="none")
    table: Settings = attrs.field(factory=Settings, metadata={"help": "more"})


@attrs.frozen
class BadDefault:
    seconds: float = attrs.field(
        default=-1.0, validator=attrs.validators.gt(0), metadata={"help": "a", "unit": "s"}
    )


@attrs.frozen
class NoneForNumber:
    seconds: float = setting("far")


@attrs.frozen
class TakesAnything:
    thing: Any = setting(1)


@pytest.mark.parametrize(
    ("cls", "check", "said"),
    [
        (Plain, "settings class", "settings_class is Plain, which is no attrs class"),
        (Open, "settings class", "Open is not frozen"),
        (WithOpenTable, "settings class", "Open is not frozen"),
        (Shared, "settings class", "names has a default that all instances share"),
        (TakesOurName, "settings class", "a setting is called plugin"),
        (Unexplained, "settings explained", "seconds does not say what it is for"),
        (NoUnit, "settings explained", "widths is a number and does not say its unit"),
        (BadDefault, "settings' defaults", "plugins.with_settings.seconds (the checks' own table) "),
        (NoneForNumber, "settings' defaults", "a default is no value that people could write"),
        (TakesAnything, "settings strict", "thing takes a date"),
    ],
)
def test_settings_that_are_wrong_are_caught(cls, check, said):
    assert_wrong(look(with_settings(cls), check), said)


@attrs.frozen
class Needed:
    seconds: float = setting()


def test_settings_that_people_have_to_give_are_not_tried_without_them():
    plugin = with_settings(Needed)
    for check in ("settings' defaults", "constructor", "order of chunks", "run after run"):
        finding = look(plugin, check)
        assert finding.verdict is Verdict.NOT_TRIED, finding
        assert "seconds" in finding.sentence
        assert finding.remedy
    assert problems(check_plugin(plugin, {"seconds": 2.0}, data=DATA, only=IN_PROCESS)) == []


def no_constructor(_self, settings):
    raise OSError("no such file")


class NoInstance(Good):
    def __init__(self):
        raise OSError("no such file")


@pytest.mark.parametrize("plugin", [NoInstance, with_settings(Settings, __init__=no_constructor)])
def test_a_constructor_that_fails_is_caught(plugin):
    assert_wrong(look(plugin, "constructor"), "an instance cannot be made: OSError: no such file")


class OwnCheckFails(Good):
    def check(self):
        raise OSError("no such file")


class OwnCheckSaysText(Good):
    def check(self):
        return "all is lost"


class OwnCheckComplains(Good):
    def check(self):
        return ["calibration: there is no file."]


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (OwnCheckFails, "its method check fails: OSError: no such file"),
        (OwnCheckSaysText, "its method check returns 'all is lost'"),
        (OwnCheckComplains, "calibration: there is no file."),
    ],
)
def test_what_the_plugin_itself_says_is_told(plugin, said):
    assert_wrong(look(plugin, "own check"), said)


def test_a_check_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="There is no check 'order': there are hooks, entry point, "):
        check_plugin(Good, only=["order"])


def test_data_without_enough_pulses_are_refused():
    from livered_core.testing import empty_chunk, make_run
    from livered_core.testing.real_chunks import RecordedRun

    with pytest.raises(ValueError, match="data of 2 pulses: give at least 3"):
        check_plugin(Good, data=RecordedRun(make_run(), (empty_chunk(pulses=2),)))
