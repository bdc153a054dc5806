from __future__ import annotations

import threading

import pytest

from hooks_support import Recorder, chunk, dispatcher, plugin, result, run_info, session_info, update
from livered_core import SKIP, Curve, HookError, Receipt, Result, RunEndReason, hookimpl
from livered_core.clocks import SystemClock
from livered_core.hooks.dispatch import Dispatcher
from livered_core.hooks.inspection import HOOKS, hook_arguments
from livered_core.hooks.spec import LiveredHooks


def test_lifecycle_hooks_reach_every_plugin_in_order_and_the_last_one_in_reverse():
    calls: list[str] = []
    hooks = dispatcher(Recorder("a", calls), Recorder("b", calls))
    hooks.session_started(session_info())
    hooks.run_started(run_info())
    hooks.run_ended(run_info(), RunEndReason.ENDED)
    hooks.session_ended(session_info())
    assert calls == [
        "a.session_started",
        "b.session_started",
        "a.run_started 1",
        "b.run_started 1",
        "a.run_ended 1 ended",
        "b.run_ended 1 ended",
        "b.session_ended",
        "a.session_ended",
    ]


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3)])
def test_a_failing_lifecycle_hook_is_contained_attributed_and_reported_to_all(error):
    class Fails:
        @hookimpl
        def run_started(self, run):
            raise error

    calls: list[str] = []
    hooks = dispatcher(Recorder("first", calls), plugin("bad", Fails()), Recorder("last", calls))
    hooks.run_started(run_info())
    assert calls == [
        "first.run_started 1",
        "first.on_error bad.run_started 1",
        "last.on_error bad.run_started 1",
        "last.run_started 1",
    ]


def test_keyboard_interrupt_is_not_contained():
    class Interrupted:
        @hookimpl
        def run_started(self, run):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dispatcher(plugin("p", Interrupted())).run_started(run_info())


def test_a_witness_is_told_of_runs_and_of_every_failure_also_of_on_error():
    class Bad:
        @hookimpl
        def run_ended(self, run, reason):
            raise ValueError("first")

        @hookimpl
        def on_error(self, failure, run):
            raise ValueError("second")

    class Seen:
        def __init__(self):
            self.told = []

        def run_started(self, run):
            self.told.append(("started", run.number))

        def run_ended(self, run, reason):
            self.told.append(("ended", run.number, reason))

        def failed(self, failure, run):
            self.told.append((failure.hook, failure.error, run.number))

    seen = Seen()
    hooks = Dispatcher([plugin("bad", Bad())], {}, SystemClock(), seen)
    hooks.run_started(run_info(3))
    hooks.run_ended(run_info(3), RunEndReason.ENDED)
    assert seen.told == [
        ("started", 3),
        ("run_ended", "ValueError: first", 3),
        ("on_error", "ValueError: second", 3),
        ("ended", 3, RunEndReason.ENDED),
    ]


def test_a_failing_on_error_is_logged_and_not_reported_again(caplog):
    class Fails:
        @hookimpl
        def run_started(self, run):
            raise ValueError("first")

        @hookimpl
        def on_error(self, failure, run):
            raise ValueError("second")

    calls: list[str] = []
    hooks = dispatcher(plugin("bad", Fails()), Recorder("other", calls))
    with caplog.at_level("ERROR", "livered"):
        hooks.run_started(run_info())
    assert calls == ["other.on_error bad.run_started 1", "other.run_started 1"]
    assert [record.getMessage().splitlines()[0] for record in caplog.records] == [
        "Plugin bad 1.0 failed in run_started: ValueError: first",
        "Plugin bad 1.0 failed in on_error: ValueError: second",
    ]


class _Counts:
    """Owns all transforms."""

    @hookimpl
    def process_chunk(self, chunk):
        return chunk.n_events

    @hookimpl
    def accumulate(self, accumulated, processed):
        return processed if accumulated is None else accumulated + processed

    @hookimpl
    def post_process(self, accumulated, run):
        curve = Curve("n", [0.0], [accumulated], [0.0], "one", "counts")
        return Result(run.number, run.title, (curve,))


def test_transforms_give_the_owners_answer():
    hooks = dispatcher(plugin("owner", _Counts()))
    assert hooks.process_chunk(chunk(events=3), run_info()) == 3
    assert hooks.accumulate(4, 3, chunk(), run_info()) == 7
    made = hooks.post_process(7, run_info(), update())
    assert made is not None
    assert made.curves[0].y[0] == 7


def test_none_from_the_owner_means_the_default():
    class Undecided:
        @hookimpl
        def process_chunk(self, chunk):
            return None

        @hookimpl
        def accumulate(self, accumulated, processed):
            return None

        @hookimpl
        def post_process(self, accumulated, run, update):
            return None

    hooks = dispatcher(plugin("undecided", Undecided()))
    spectrum = hooks.process_chunk(chunk(events=3), run_info())
    assert spectrum.counts.sum() == 3
    assert hooks.accumulate(None, "x", chunk(), run_info()) == "x"
    assert hooks.accumulate("y", "x", chunk(), run_info()) == "yx"
    made = hooks.post_process(spectrum, run_info(), update())
    assert made is not None
    assert made.curves[0].y.sum() == 3
    assert hooks.post_process("unknown", run_info(), update()) is None


def test_skip_is_handed_through():
    class Skips:
        @hookimpl
        def process_chunk(self, chunk):
            return SKIP

    assert dispatcher(plugin("p", Skips())).process_chunk(chunk(), run_info()) is SKIP


def test_a_wrapper_composes_and_sees_the_arguments_and_the_answer():
    class Doubles:
        @hookimpl(wrapper=True)
        def process_chunk(self, chunk):
            answer = yield
            return answer * 2 + chunk.sequence

    hooks = dispatcher(plugin("owner", _Counts()), plugin("wrapper", Doubles()))
    assert hooks.process_chunk(chunk(events=3, sequence=100), run_info()) == 106


def test_the_first_plugin_of_the_configuration_is_the_outermost_wrapper():
    def wrapper_that_adds(letter):
        class Adds:
            @hookimpl(wrapper=True)
            def accumulate(self, accumulated, processed):
                return (yield) + letter

        return Adds()

    hooks = dispatcher(plugin("a", wrapper_that_adds("a")), plugin("b", wrapper_that_adds("b")))
    assert hooks.accumulate("x", "y", chunk(), run_info()) == "xyba"


def test_the_configured_owner_answers_and_the_other_is_not_called():
    class Never:
        @hookimpl
        def process_chunk(self, chunk):
            raise AssertionError

    plugins = [plugin("never", Never()), plugin("owner", _Counts())]
    hooks = dispatcher(*plugins, owners={"process_chunk": "owner"})
    assert hooks.process_chunk(chunk(events=2), run_info()) == 2


def _failing(error):
    class Fails:
        @hookimpl
        def process_chunk(self, chunk):
            raise error

    return Fails()


class _HandsOn:
    @hookimpl(wrapper=True)
    def process_chunk(self, chunk):
        return (yield)


class _Rescues:
    @hookimpl(wrapper=True)
    def process_chunk(self, chunk):
        try:
            return (yield)
        except ValueError:
            return "rescued"


class _FailsBefore:
    @hookimpl(wrapper=True)
    def process_chunk(self, chunk):
        raise ValueError("before")
        yield


class _FailsAfter:
    @hookimpl(wrapper=True)
    def process_chunk(self, chunk):
        yield
        raise ValueError("after")


class _ReplacesError:
    @hookimpl(wrapper=True)
    def process_chunk(self, chunk):
        try:
            return (yield)
        except ValueError as error:
            raise TypeError("other") from error


class _YieldsTwice:
    @hookimpl(wrapper=True)
    def process_chunk(self, chunk):
        answer = yield
        yield
        return answer


class _ForgetsToReturn:
    @hookimpl(wrapper=True)
    def process_chunk(self, chunk):
        yield


class _UnprintableError(Exception):
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("plugins", "culprit", "error"),
    [
        ({"owner": _failing(ValueError("bad"))}, "owner", "ValueError: bad"),
        ({"owner": _failing(SystemExit(1))}, "owner", "SystemExit: 1"),
        ({"wrap": _HandsOn(), "owner": _failing(ValueError("bad"))}, "owner", "ValueError: bad"),
        ({"owner": _failing(ValueError("bad")), "wrap": _HandsOn()}, "owner", "ValueError: bad"),
        ({"wrap": _FailsBefore(), "owner": _Counts()}, "wrap", "ValueError: before"),
        ({"wrap": _FailsAfter(), "owner": _Counts()}, "wrap", "ValueError: after"),
        ({"outer": _HandsOn(), "wrap": _FailsAfter(), "owner": _Counts()}, "wrap", "ValueError: after"),
        ({"wrap": _ReplacesError(), "owner": _failing(ValueError("bad"))}, "wrap", "TypeError: other"),
        (
            {"wrap": _YieldsTwice(), "owner": _Counts()},
            "wrap",
            "DataModelError: A wrapper must yield once and yielded again.",
        ),
        (
            {"outer": _HandsOn(), "wrap": _ForgetsToReturn(), "owner": _Counts()},
            "wrap",
            "DataModelError: The answer is None: a wrapper must return what its yield gave, or something in its place.",
        ),
        ({"owner": _failing(_UnprintableError())}, "owner", "_UnprintableError"),
    ],
)
def test_a_failure_of_a_transform_names_the_plugin_that_raised(plugins, culprit, error):
    hooks = dispatcher(*(plugin(name, instance) for name, instance in plugins.items()))
    with pytest.raises(HookError) as caught:
        hooks.process_chunk(chunk(sequence=9), run_info())
    failure = caught.value.failure
    assert (failure.plugin, failure.hook, failure.error) == (culprit, "process_chunk", error)
    assert failure.chunk_sequence == 9
    assert "Traceback" in failure.traceback
    assert hooks.statistics()[culprit, "process_chunk"].failures == 1
    assert sum(s.failures for s in hooks.statistics().values()) == 1


def test_a_wrapper_may_rescue_and_catches_the_original_exception():
    hooks = dispatcher(plugin("wrap", _Rescues()), plugin("owner", _failing(ValueError("bad"))))
    assert hooks.process_chunk(chunk(), run_info()) == "rescued"


def test_consecutive_failures_count_until_a_success():
    class Sometimes:
        fails = True

        @hookimpl
        def process_chunk(self, chunk):
            if self.fails:
                raise ValueError("bad")
            return 1

    instance = Sometimes()
    hooks = dispatcher(plugin("p", instance))

    def consecutive():
        with pytest.raises(HookError) as caught:
            hooks.process_chunk(chunk(), run_info())
        return caught.value.failure.consecutive

    assert [consecutive(), consecutive()] == [1, 2]
    instance.fails = False
    hooks.process_chunk(chunk(), run_info())
    instance.fails = True
    assert consecutive() == 1


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("text", "must return a Result or None and returned a str"),
        (result(run_number=2), "returned a result of run 2 in run 1"),
    ],
)
def test_a_wrong_result_is_an_error_that_names_plugin_and_hook(answer, sentence):
    class Wrong:
        @hookimpl
        def post_process(self, accumulated):
            return answer

    hooks = dispatcher(Recorder("other", []), plugin("wrong", Wrong()))
    with pytest.raises(HookError, match=f"Plugin wrong 1.0 failed in post_process: .*{sentence}"):
        hooks.post_process(1, run_info(), update())


def test_a_wrapper_that_spoils_a_result_is_the_one_to_blame():
    class Spoils:
        @hookimpl(wrapper=True)
        def post_process(self):
            yield
            return 3

    hooks = dispatcher(plugin("owner", _Counts()), plugin("spoils", Spoils()))
    with pytest.raises(HookError, match="Plugin spoils 1.0 failed in post_process"):
        hooks.post_process(1, run_info(), update())


def test_sinks_are_offered_results_one_by_one():
    class Sink:
        @hookimpl
        def post_publish(self, result, update):
            return Receipt(f"slot {update.sequence}", 5, len(result.curves))

    hooks = dispatcher(plugin("sink", Sink()), Recorder("other", []))
    assert hooks.sinks == ("sink", "other")
    assert hooks.post_publish("sink", result(), run_info(), update()) == Receipt("slot 1", 5, 1)


def test_a_failing_sink_raises_with_its_own_error_as_the_cause():
    class Sink:
        @hookimpl
        def post_publish(self, result):
            raise OSError("no route")

    with pytest.raises(
        HookError, match="Plugin sink 1.0 failed in post_publish: OSError: no route"
    ) as caught:
        dispatcher(plugin("sink", Sink())).post_publish("sink", result(), run_info(), update())
    assert isinstance(caught.value.__cause__, OSError)


def test_an_error_with_a_whole_answer_in_it_is_shortened():
    class Sink:
        @hookimpl
        def post_publish(self, result):
            raise OSError(f"begins {'<p>' * 1_000_000} ends")

    with pytest.raises(HookError) as caught:
        dispatcher(plugin("sink", Sink())).post_publish("sink", result(), run_info(), update())
    failure = caught.value.failure
    assert failure.error.startswith("OSError: begins <p>")
    assert failure.error.endswith("<p> ends")
    assert "characters left out" in failure.error
    assert len(failure.error) < 2_100
    assert failure.traceback.startswith("Traceback")
    assert failure.traceback.rstrip().endswith("<p> ends")
    assert len(failure.traceback) < 50_100


def test_a_sink_that_returns_nonsense_has_failed():
    class Sink:
        @hookimpl
        def post_publish(self, result):
            return True

    with pytest.raises(HookError, match="must return a Receipt or None and returned a bool"):
        dispatcher(plugin("sink", Sink())).post_publish("sink", result(), run_info(), update())


class _StepClock:
    """Half a second passes between any two looks at it."""

    def __init__(self):
        self._now = 0.0

    def now_ns(self) -> int:
        return 0

    def monotonic(self) -> float:
        self._now += 0.5
        return self._now

    def wait(self, event: threading.Event, timeout: float) -> bool:
        raise NotImplementedError


def test_every_call_is_timed():
    hooks = Dispatcher([plugin("wrap", _HandsOn()), plugin("owner", _Counts())], {}, _StepClock())
    for _ in range(2):
        hooks.process_chunk(chunk(), run_info())
    statistics = hooks.statistics()
    assert (statistics["owner", "process_chunk"].calls, statistics["owner", "process_chunk"].total_s) == (
        2,
        1.0,
    )
    assert statistics["wrap", "process_chunk"].last_s == 1.5


def test_hook_specifications_are_documented_typed_and_without_defaults():
    import inspect

    for name in HOOKS:
        hook = getattr(LiveredHooks, name)
        signature = inspect.signature(hook)
        for part in ("When:", "Thread:", "Returns:", "On failure:", ">>> class Plugin:"):
            assert part in hook.__doc__, (name, part)
        for parameter in list(signature.parameters.values())[1:]:
            assert parameter.default is parameter.empty
            assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD
            assert parameter.annotation is not parameter.empty


def test_the_examples_in_the_hook_specifications_work(capsys):
    import doctest

    import numpy as np

    given = {
        "session": session_info(),
        "run": run_info(),
        "reason": RunEndReason.ENDED,
        "chunk": chunk(events=2),
        "accumulated": np.ones(4, int),
        "processed": np.ones(4, int),
        "update": update(),
        "result": result(),
    }
    for name in HOOKS:
        (example,) = doctest.DocTestParser().get_examples(getattr(LiveredHooks, name).__doc__)
        space = {"hookimpl": hookimpl, "np": np, "Curve": Curve, "Result": Result}
        exec(compile(example.source, name, "exec"), space)
        hooks = dispatcher(plugin("example", space["Plugin"]()))
        if name == "on_error":
            failing = dispatcher(plugin("example", space["Plugin"]()), plugin("bad", _BadStart()))
            failing.run_started(run_info())
            assert "Plugin bad 1.0 failed in run_started" in capsys.readouterr().out
            continue
        arguments = [given[argument] for argument in hook_arguments(name)]
        front = getattr(hooks, name)
        front("example", *arguments) if name == "post_publish" else front(*arguments)
        assert hooks.statistics()["example", name].calls == 1
        assert hooks.statistics()["example", name].failures == 0


class _BadStart:
    @hookimpl
    def run_started(self, run):
        raise ValueError("bad")


class Forgetful:
    @hookimpl
    def process_chunk(self, chunk):
        chunk.events.tof.sum()


class Around:
    @hookimpl(wrapper=True)
    def process_chunk(self, chunk):
        return (yield)


def test_who_leaves_a_chunk_to_the_default_is_told_once(caplog):
    hooks = dispatcher(plugin("forgetful", Forgetful()))
    for sequence in (1, 2):
        hooks.process_chunk(chunk(sequence), run_info())
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "process_chunk of plugin forgetful returned None: livered's default took its place and made a TofSpectrum."
    )


def test_the_default_that_is_wanted_is_not_told_of(caplog):
    dispatcher(plugin("around", Around())).process_chunk(chunk(), run_info())
    dispatcher().process_chunk(chunk(), run_info())
    assert not caplog.records


def test_a_wrapper_that_returns_before_its_yield_is_told_so():
    class Hasty:
        @hookimpl(wrapper=True)
        def process_chunk(self, chunk):
            if chunk.sequence:
                return SKIP
            yield

    with pytest.raises(HookError, match=r"Plugin hasty 1\.0 .*A wrapper must yield once and returned before"):
        dispatcher(plugin("hasty", Hasty())).process_chunk(chunk(), run_info())


def test_a_sum_that_is_none_is_told_of_as_such():
    class Count:
        def __add__(self, other):
            pass

    with pytest.raises(
        HookError, match=r"^Plugin livered defaults failed in accumulate.*sum of a Count and a Count is None"
    ):
        dispatcher().accumulate(Count(), Count(), chunk(), run_info())
