"""The harness: one plugin, called as at the beamline."""

from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from livered_core import (
    SKIP,
    BegunAnew,
    ConfigError,
    Curve,
    DataModelError,
    HookError,
    PluginError,
    PluginLoadError,
    Receipt,
    Result,
    SinkLater,
    SinkRejected,
    hookimpl,
)
from livered_core.testing import (
    ManualClock,
    PluginHarness,
    empty_chunk,
    make_chunk,
    make_events,
    make_run,
    one_event_chunk,
    powder_chunk,
    small_instrument,
    write_transcript,
)
from livered_core.testing.loading import plugin_entry

ONE, TWO = one_event_chunk(), one_event_chunk(sequence=2)


@attrs.frozen
class CounterSettings:
    """The table ``[plugins.counter]``."""

    scale: float = attrs.field(default=1.0, validator=attrs.validators.gt(0))
    folder: Path = Path("data")


class Counter:
    """Counts events, and writes down what it is told."""

    settings_class = CounterSettings
    data_models = ("native",)

    def __init__(self, settings: CounterSettings) -> None:
        self.settings = settings
        self.heard: list[str] = []

    @hookimpl
    def session_started(self, session):
        self.session = session
        self.heard.append("session_started")

    @hookimpl
    def run_started(self, run):
        self.heard.append(f"run_started {run.number}")

    @hookimpl
    def run_ended(self, run, reason):
        self.heard.append(f"run_ended {run.number} {reason.value}")

    @hookimpl
    def session_ended(self, session):
        assert session is self.session
        self.heard.append("session_ended")

    @hookimpl
    def process_chunk(self, chunk):
        return SKIP if chunk.logs else self.settings.scale * chunk.n_events

    @hookimpl
    def post_process(self, accumulated, run, update):
        notes = {"update": update.sequence, "final": update.final}
        return Result(
            run.number,
            run.title,
            [Curve("n", [0], [accumulated], [0], "one", "counts")],
            metadata=notes,
        )


class Fails:
    """Raises, or gives back, what it is told, in the hook that it is told."""

    def __init__(self, hook: str, answer: Any) -> None:
        self.hook, self.answer = hook, answer

    def _answer(self, hook: str) -> Any:
        if hook == self.hook:
            if isinstance(self.answer, BaseException):
                raise self.answer
            return self.answer
        return None

    @hookimpl
    def session_started(self):
        self._answer("session_started")

    @hookimpl
    def run_started(self):
        self._answer("run_started")

    @hookimpl
    def process_chunk(self):
        return self._answer("process_chunk")

    @hookimpl
    def accumulate(self):
        return self._answer("accumulate")

    @hookimpl
    def post_process(self):
        return self._answer("post_process")

    @hookimpl
    def post_publish(self):
        return self._answer("post_publish")

    @hookimpl
    def run_ended(self):
        self._answer("run_ended")

    @hookimpl
    def session_ended(self):
        self._answer("session_ended")


class Sink:
    """Answers what it is told; an exception is raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.threads: list[str] = []

    @hookimpl
    def post_publish(self, result, run, update):
        self.threads.append(threading.current_thread().name)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


# A whole run, and its parts.


def test_a_run_is_reduced_as_at_the_beamline() -> None:
    with PluginHarness(Counter, {"scale": 2.0}) as harness:
        result = harness.reduce(ONE, TWO)
        assert result.curves[0].y.tolist() == [4.0]
        assert (result.run_number, result.metadata["final"]) == (1, True)
        assert harness.accumulated == 4.0
    assert harness.instance.heard == [
        "session_started",
        "run_started 1",
        "run_ended 1 ended",
        "session_ended",
    ]
    assert harness.results == (result,)


def test_the_parts_of_a_run_can_be_driven_one_by_one() -> None:
    run = make_run(7, instrument="NOM")
    with PluginHarness(Counter, run=run) as harness:
        assert harness.accumulated is None
        assert harness.start_run() is run
        harness.feed(ONE)
        first = harness.update()
        assert first is not None and not first.metadata["final"]
        assert harness.update() is None  # nothing has come
        harness.feed(TWO)
        last = harness.end_run()
        assert last is not None and last.metadata == {"update": 2, "final": True}
        assert [update.n_events for update in harness.updates] == [1, 2]
        assert harness.instance.session.instrument == "NOM"
        assert harness.start_run().number == 8
        assert harness.accumulated is None


def test_a_run_that_begins_replaces_the_one_before() -> None:
    with PluginHarness(Counter) as harness:
        harness.feed(ONE)
        harness.start_run(make_run(9))
        assert harness.instance.heard[1:] == ["run_started 1", "run_ended 1 replaced", "run_started 9"]
        assert harness.results[0].metadata["final"]
        harness.feed(ONE)
        assert harness.start_run().number == 10


def test_the_end_of_the_session_ends_the_run() -> None:
    with PluginHarness(Counter) as harness:
        harness.feed(ONE)
    assert harness.instance.heard[-2:] == ["run_ended 1 session stopped", "session_ended"]
    assert [update.final for update in harness.updates] == [False]
    with pytest.raises(RuntimeError, match="has ended its session: make another one"):
        harness.feed(ONE)


def test_a_run_can_come_again() -> None:
    with PluginHarness(Counter) as harness:
        harness.feed(ONE, TWO)
        harness.restart_run()
        harness.feed(ONE)
        harness.end_run()
        assert harness.accumulated == 1.0
        assert "run_ended 1 begun again" in harness.instance.heard


def test_without_a_with_the_session_begins_by_itself_and_goes_on() -> None:
    harness = PluginHarness(Counter)
    assert harness.session is None
    harness.reduce(ONE)
    harness.reduce(ONE)
    assert harness.start_session() is harness.session
    assert harness.instance.heard.count("session_started") == 1
    assert "session_ended" not in harness.instance.heard
    harness.end_session()
    harness.end_session()
    assert harness.instance.heard.count("session_ended") == 1
    assert [result.run_number for result in harness.results] == [1, 2]


def test_what_is_left_out_is_counted() -> None:
    with PluginHarness(Counter) as harness:
        skipped = make_chunk(make_events([1, 2], [5, 6]), logs={"t": 1.0})
        harness.reduce(ONE, skipped, empty_chunk())
        update = harness.updates[0]
        assert (update.skipped_chunks, update.skipped_events, update.n_chunks) == (1, 2, 2)
        assert update.complete


def test_a_run_without_a_result_is_said() -> None:
    with PluginHarness(Counter) as harness, pytest.raises(PluginError, match="no chunk was accumulated"):
        harness.reduce()
    harness = PluginHarness(Fails("process_chunk", 5))
    with pytest.raises(PluginError, match=r"Run 1 gave no result: no plugin made a result"):
        harness.reduce(ONE)
    harness = PluginHarness(Fails("process_chunk", KeyError("x")), check=False)
    with pytest.raises(PluginError, match=r"Run 1 gave no result: Plugin fails .* KeyError: 'x'\.$"):
        harness.reduce(ONE)


def test_the_harness_keeps_no_chunk() -> None:
    harness = PluginHarness(Counter)
    chunk = powder_chunk(small_instrument(), [2.0], n_events=10)
    held = weakref.ref(chunk.events.tof)
    harness.feed(chunk)
    harness.update()
    del chunk
    gc.collect()
    assert held() is None
    assert harness.accumulated == 10


def test_there_must_be_a_run_to_end() -> None:
    with PluginHarness(Counter) as harness, pytest.raises(RuntimeError, match="no run to end"):
        harness.end_run()


def test_data_thrown_away_make_the_run_incomplete() -> None:
    with PluginHarness(Fails("accumulate", BegunAnew(1, "The calibration changed."))) as harness:
        harness.feed(ONE)
        assert harness.replay_wanted() == "The calibration changed."
        assert harness.replay_wanted() == ""


# Settings.


def test_settings_are_read_as_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", str(tmp_path))
    harness = PluginHarness(Counter, {"scale": 3, "folder": "$PLACE/x"})
    assert harness.instance.settings == CounterSettings(3.0, tmp_path / "x")
    monkeypatch.chdir(tmp_path)
    assert PluginHarness(Counter).instance.settings == CounterSettings(1.0, tmp_path / "data")
    assert PluginHarness(Counter, {"folder": tmp_path}).instance.settings.folder == tmp_path


def test_an_object_of_the_settings_is_taken_as_it_is() -> None:
    settings = CounterSettings(5.0)
    assert PluginHarness(Counter, settings).instance.settings is settings


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        pytest.param(
            {"scal": 2},
            r"plugins\.counter\.scal \(settings of PluginHarness\) is not a key; did you mean plugins\.counter\.scale\?",
            id="unknown",
        ),
        pytest.param({"scale": "two"}, r"plugins\.counter\.scale .* must be a number", id="type"),
        pytest.param({"scale": -1}, r"plugins\.counter\.scale .* must be > 0", id="range"),
    ],
)
def test_wrong_settings_are_refused_in_a_sentence(settings: Any, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        PluginHarness(Counter, settings)


def test_settings_must_fit_the_plugin() -> None:
    with pytest.raises(
        TypeError, match="Counter got a int as settings: it takes a mapping or a CounterSettings"
    ):
        PluginHarness(Counter, 5)
    with pytest.raises(TypeError, match="an object of Counter with settings: give the class"):
        PluginHarness(Counter(CounterSettings()), {"scale": 2})
    with pytest.raises(ConfigError, match="this plugin has no settings"):
        PluginHarness(Sink, {"x": 1})


def test_an_installed_plugin_has_its_name_and_its_packaged_defaults(install: Any) -> None:
    install(
        "livered-abc",
        {
            "livered_abc/__init__.py": "from livered_abc.plugin import Abc as Abc",
            "livered_abc/plugin.py": """
                import attrs
                from livered_core import hookimpl

                @attrs.frozen
                class Settings:
                    x: int = 1
                    y: int = 2

                class Abc:
                    settings_class = Settings

                    def __init__(self, settings):
                        self.settings = settings

                    @hookimpl
                    def process_chunk(self, chunk):
                        return chunk.n_events
            """,
            "livered_abc/defaults.toml": """
                address = "localhost:1"
                [plugins.abc]
                x = 10
                y = 20
                [plugins.other]
                z = 30
            """,
        },
        {"livered.instruments": ["ABC = livered_abc:Abc", "ABCDEF = livered_abc:Abc"]},
        version="2.5",
    )
    from livered_abc import Abc

    harness = PluginHarness(Abc, {"y": 200})
    assert (harness.instance.settings.x, harness.instance.settings.y) == (10, 200)
    harness.feed(ONE)
    assert harness.session is not None
    assert (harness.session.instrument, dict(harness.session.plugins)) == ("ABC", {"abc": "2.5"})


def test_a_plugin_that_is_not_installed_is_called_after_its_class() -> None:
    class MyTestPlugin(Sink):
        pass

    assert plugin_entry(MyTestPlugin).name == "my_test_plugin"
    assert PluginHarness(MyTestPlugin()).name == "my_test_plugin"
    assert PluginHarness(MyTestPlugin, name="other").name == "other"


# What livered refuses before a session.


def test_misspelt_hooks_are_refused() -> None:
    class Misspelt:
        @hookimpl
        def proces_chunk(self, chunk):
            """Never called."""

    with pytest.raises(PluginLoadError, match="did you mean process_chunk"):
        PluginHarness(Misspelt)


class Checked(Counter):
    def check(self):
        return ["The file is not there."]


def test_check_is_asked_before_the_session() -> None:
    harness = PluginHarness(Checked)
    with pytest.raises(ConfigError, match=r"^plugins\.checked: The file is not there\.$"):
        harness.reduce(ONE)
    assert harness.instance.heard == []
    with PluginHarness(Checked, check=False) as harness:
        assert harness.problems == ("plugins.checked: The file is not there.",)
        harness.reduce(ONE)


def test_two_owners_of_a_transform_are_refused() -> None:
    with pytest.raises(ConfigError, match="both implement process_chunk"):
        PluginHarness(Counter, beside=[Fails("", None)]).reduce(ONE)
    owners = {"process_chunk": "counter", "post_process": "counter"}
    result = PluginHarness(Counter, beside=[Fails("", None)], owners=owners).reduce(ONE)
    assert result.curves[0].y.tolist() == [1.0]


# Other plugins.


class Doubles:
    @hookimpl(wrapper=True)
    def process_chunk(self):
        answer = yield
        return 2 * answer


def test_plugins_work_side_by_side() -> None:
    sink = Sink(Receipt("there", 1, 2))
    with PluginHarness(Doubles, beside=[(Counter, {"scale": 5.0}), sink]) as harness:
        result = harness.reduce(ONE)
    assert result.curves[0].y.tolist() == [10.0]
    assert isinstance(harness.instance, Doubles)
    assert len(sink.threads) == 1


# Failures.


@pytest.mark.parametrize(
    "hook",
    [
        "session_started",
        "run_started",
        "process_chunk",
        "accumulate",
        "post_process",
        "post_publish",
        "run_ended",
    ],
)
def test_the_first_failure_is_raised_with_its_cause(hook: str) -> None:
    error = KeyError("x")
    beside = [Counter] if hook == "post_publish" else []
    plugin = Sink(error) if hook == "post_publish" else Fails(hook, error)
    harness = PluginHarness(plugin, beside=beside, name="bad")
    with pytest.raises(HookError, match=rf"^Plugin bad .* failed in {hook}.*: KeyError: 'x'$") as raised:
        harness.reduce(ONE)
    assert raised.value.__cause__ is error
    assert [failure.hook for failure in harness.failures] == [hook]


def test_a_failing_end_of_the_session_is_raised() -> None:
    with (
        pytest.raises(HookError, match="session_ended"),
        PluginHarness(Fails("session_ended", KeyError("x"))),
    ):
        pass


def test_what_the_test_raises_is_not_covered_by_what_follows() -> None:
    counter = Counter(CounterSettings())
    fails = Fails("session_ended", KeyError("x"))
    owners = {"process_chunk": "counter", "post_process": "counter"}
    with (
        pytest.raises(ZeroDivisionError),
        PluginHarness(fails, beside=[counter], owners=owners) as harness,
    ):
        harness.feed(ONE)
        raise ZeroDivisionError
    assert counter.heard[-2:] == ["run_ended 1 session failed", "session_ended"]
    assert [(call.plugin, call.outcome) for call in harness.transcript][-2:] == [
        ("counter", "returned"),
        ("fails", "raised"),
    ]


def test_a_session_that_cannot_start_is_ended() -> None:
    harness = PluginHarness(Fails("session_started", KeyError("x")))
    with pytest.raises(HookError), harness:
        pass
    assert [call.hook for call in harness.transcript] == ["session_started", "session_ended"]


def test_a_wrong_answer_is_a_failure() -> None:
    with pytest.raises(HookError, match="post_process must return a Result or None and returned a int"):
        PluginHarness(Fails("post_process", 5)).reduce(ONE)


def test_failures_are_contained_where_they_are_not_to_be_raised() -> None:
    with PluginHarness(Counter, beside=[Raises], check=False) as harness:
        harness.reduce(ONE, TWO, *[one_event_chunk(sequence=3 + n) for n in range(8)])
        assert [failure.chunk_sequence for failure in harness.failures] == [2]
        assert (harness.updates[0].dropped_chunks, harness.updates[0].complete) == (1, False)
    with PluginHarness(Fails("process_chunk", KeyError("x")), check=False) as harness:
        # More than a session at the beamline would bear.
        harness.feed(*[ONE] * 8)
        assert [failure.consecutive for failure in harness.failures] == list(range(1, 9))


class Raises:
    @hookimpl(wrapper=True)
    def process_chunk(self, chunk):
        answer = yield
        if chunk.sequence == 2:
            raise KeyError("x")
        return answer


def test_each_failure_is_raised_once() -> None:
    harness = PluginHarness(Counter, beside=[Raises])
    harness.feed(ONE)
    with pytest.raises(HookError):
        harness.feed(TWO)
    harness.feed(one_event_chunk(sequence=3))
    harness.end_run()
    assert harness.accumulated == 2.0


# Sinks.


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(Receipt("there", 1, 2), "taken", id="taken"),
        pytest.param(None, "nothing", id="nothing"),
        pytest.param(SinkLater(5), "later", id="later"),
        pytest.param(SinkRejected("Not that."), "rejected", id="rejected"),
        pytest.param(OSError("gone"), "failed", id="failed"),
        pytest.param("a text", "failed", id="no-receipt"),
    ],
)
def test_sinks_are_offered_each_result_at_once(answer: Any, outcome: str) -> None:
    sink = Sink(answer)
    with PluginHarness(sink, beside=[Counter], check=False) as harness:
        result = harness.reduce(ONE)
        (delivery,) = harness.deliveries
        assert (delivery.sink, delivery.outcome) == ("sink", outcome)
        assert delivery.result is result and delivery.update.final
        assert sink.threads == [threading.current_thread().name]
        assert harness.receipts == ((answer,) if outcome == "taken" else ())
        assert len(harness.failures) == (outcome in ("rejected", "failed"))
        if isinstance(answer, BaseException):
            assert delivery.error is answer
        else:
            assert (delivery.error is None) == (outcome != "failed")


def test_later_is_no_failure_and_rejected_is() -> None:
    PluginHarness(Sink(SinkLater(5)), beside=[Counter]).reduce(ONE)
    with pytest.raises(HookError, match="post_publish: SinkRejected: Not that") as raised:
        PluginHarness(Sink(SinkRejected("Not that.")), beside=[Counter]).reduce(ONE)
    assert isinstance(raised.value.__cause__, SinkRejected)


# Data models.


class Both(Counter):
    data_models = ("native", "mantid")

    @hookimpl
    def process_chunk(self, chunk):
        return chunk.n_events


class MantidOnly(Both):
    data_models = ("mantid",)


def as_if_mantid(chunk: Any) -> Any:
    return attrs.evolve(chunk, model="mantid", data=object())


def test_the_backend_is_that_of_the_first_chunk() -> None:
    harness = PluginHarness(Both)
    harness.reduce(as_if_mantid(ONE))
    assert harness.session is not None and harness.session.backend == "mantid"
    with pytest.raises(
        DataModelError, match='Chunk 1 is of the native model .* feed it to PluginHarness.*backend="native"'
    ):
        harness.reduce(ONE)


@pytest.mark.parametrize(
    ("plugin", "backend"),
    [
        pytest.param(Counter, "native", id="native"),
        pytest.param(Both, "native", id="both"),
        pytest.param(MantidOnly, "mantid", id="mantid"),
    ],
)
def test_without_a_chunk_the_backend_is_one_that_the_plugin_can(plugin: type, backend: str) -> None:
    with PluginHarness(plugin) as harness:
        assert harness.session is not None and harness.session.backend == backend


def test_a_model_that_the_plugin_cannot_is_refused_before_the_session() -> None:
    with pytest.raises(ConfigError, match="works on native data and the backend is mantid"):
        PluginHarness(Counter).reduce(as_if_mantid(ONE))
    with pytest.raises(ConfigError, match="works on mantid data"):
        PluginHarness(MantidOnly, beside=[Sink(), Counter]).__enter__()
    with PluginHarness(Both, backend="mantid") as harness:
        harness.reduce(as_if_mantid(ONE))


# What is written down.


def test_the_transcript_has_every_call_in_its_order() -> None:
    clock = ManualClock()
    with PluginHarness(Counter, clock=clock, run=make_run(5)) as harness:
        harness.reduce(ONE)
    lines = write_transcript(harness.transcript)
    assert [" ".join(line.split()) for line in lines] == [
        "- counter.session_started 0.0 ms",
        "run 5 counter.run_started 0.0 ms",
        "run 5 chunk 1 counter.process_chunk 0.0 ms",
        "run 5 chunk 1 livered defaults.accumulate 0.0 ms",
        "run 5 counter.post_process 0.0 ms",
        "run 5 counter.run_ended 0.0 ms",
        "- counter.session_ended 0.0 ms",
    ]
    assert lines == [line.rstrip() for line in lines]
    assert len({line.index("counter") for line in lines if "counter" in line}) == 1


@pytest.mark.parametrize(
    ("answer", "last"), [(SKIP, "SKIP"), (None, "nothing"), (KeyError("x"), "FAILED: KeyError: 'x'")]
)
def test_the_transcript_says_what_came_of_a_call(answer: Any, last: str) -> None:
    harness = PluginHarness(Fails("process_chunk", answer), check=False)
    harness.feed(ONE)
    line = next(line for line in write_transcript(harness.transcript) if "fails.process_chunk" in line)
    assert line.endswith(f"ms  {last}")


def test_no_call_makes_no_line() -> None:
    assert write_transcript([]) == []


def test_times_are_counted_with_the_clock() -> None:
    clock = ManualClock()

    class Slow(Counter):
        @hookimpl
        def process_chunk(self, chunk):
            clock.advance(0.25)
            return chunk.n_events

    harness = PluginHarness(Slow, clock=clock)
    harness.reduce(ONE, TWO)
    statistics = harness.statistics()["slow", "process_chunk"]
    assert (statistics.calls, statistics.total_s) == (2, 0.5)
    assert harness.updates[0].lag_ns == 500_000_000


def test_fields_of_the_session_can_be_given(tmp_path: Path) -> None:
    with PluginHarness(Counter, session={"output_dir": str(tmp_path)}) as harness:
        assert harness.instance.session.output_dir == str(tmp_path)
        assert harness.instance.session.plugins == {"counter": "unknown version"}


def test_the_default_of_livered_makes_a_spectrum_of_what_nobody_reduces() -> None:
    chunk = powder_chunk(small_instrument(), [2.0], n_events=500)
    result = PluginHarness(Sink(None)).reduce(chunk)
    assert np.asarray(result.curves[0].y).sum() == 500
