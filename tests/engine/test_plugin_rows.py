"""The rows of the plugins that run, and what the log says of them."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import attrs
import pytest

from hooks_support import chunk, plugin, run_info
from livered_core import hookimpl
from livered_core.clocks import SystemClock
from livered_core.engine.plugin_rows import HookRow, PluginBook, kind_of, rows_as_dicts
from livered_core.engine.plugin_story import PluginStory
from livered_core.engine.plugin_words import MOST_ROWS, took
from livered_core.errors import HookError
from livered_core.hooks.dispatch import Dispatcher
from livered_core.publish.as_json import to_json
from reload_support import PLUGIN, Led

NASTY = "T\x9b31mX \u202edesrever\nsecond\x1b[2J"
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
SECOND = 10**9


class Hands(SystemClock):
    """A clock that a test moves."""

    now_s = 100.0

    def now_ns(self) -> int:
        return round(self.now_s * SECOND)

    def monotonic(self) -> float:
        return self.now_s


class Owner:
    """Takes as long as the test wants, and fails when it wants."""

    def __init__(self, clock):
        self.clock, self.takes, self.error = clock, 1.0, None

    @hookimpl
    def process_chunk(self, chunk):
        self.clock.now_s += self.takes
        if self.error is not None:
            raise self.error
        return chunk

    @hookimpl
    def run_started(self, run): ...


class Wrapper:
    @hookimpl(wrapper=True)
    def process_chunk(self, chunk):
        return (yield)

    @hookimpl
    def post_publish(self, result): ...


class Rows:
    """Plugins whose hooks a test calls, and the book of them."""

    def __init__(self, **owners):
        self.clock = Hands()
        self.owner = Owner(self.clock)
        self.hooks = Dispatcher(
            [plugin("tst", self.owner), plugin("other", Owner(self.clock)), plugin("wrap", Wrapper())],
            owners or {"process_chunk": "tst"},
            self.clock,
        )
        config = SimpleNamespace(hooks=SimpleNamespace(owner=owners or {"process_chunk": "tst"}))
        loaded = SimpleNamespace(config=config, instrument=SimpleNamespace(name="tst"))
        self.book = PluginBook(self.hooks, lambda: loaded, self.clock)

    def take(self, takes=1.0, error=None):
        self.owner.takes, self.owner.error = takes, error
        try:
            self.hooks.process_chunk(chunk(), run_info())
        except HookError:
            assert error is not None

    def row(self, name="tst", reload=None):
        return next(row for row in self.book.rows(reload) if row.name == name)

    def hook(self, hook="process_chunk", name="tst"):
        return next(row for row in self.row(name).hooks if row.hook == hook)


@pytest.fixture
def rows():
    return Rows()


def test_a_row_says_who_it_is_and_a_hook_that_was_never_called_has_no_times(rows):
    row = rows.row()
    assert (row.name, row.version, row.distribution, row.kind) == ("tst", "1.0", "dist-of-tst", "instrument")
    assert (row.class_name, row.file) == (f"{__name__}:Owner", __file__)
    assert (row.data_models, row.since_ns) == (("native", "mantid"), 100 * SECOND)
    assert (row.state, row.reason) == ("runs", "Runs since 1970-01-01T00:01:40Z.")
    assert row.hooks == (HookRow("run_started", "owner"), HookRow("process_chunk", "owner"))


def test_calls_have_their_number_mean_last_and_longest_time(rows):
    for takes in (1.0, 4.0, 2.5):
        rows.take(takes)
    wanted = HookRow("process_chunk", "owner", 3, 0, 2.5, 2.5, 4.0)
    assert rows.hook() == wanted
    assert rows.hook(name="wrap") == attrs.evolve(wanted, role="wrapper")


def test_a_plugin_that_failed_twice_says_so_first_and_when_it_works_again_only_that_it_did(rows):
    assert rows.row().state == "runs"
    rows.take()
    for _ in range(2):
        rows.take(error=ValueError("no such pixel"))
    row, hook = rows.row(), rows.hook()
    assert (hook.calls, hook.failures, hook.failures_in_a_row) == (3, 2, 2)
    assert (row.state, row.reason) == (
        "fails",
        "process_chunk: 2 of 3 calls failed, the newest 2 in a row: ValueError: no such pixel. "
        "Runs since 1970-01-01T00:01:40Z.",
    )
    # Who wraps it is not to blame.
    assert (rows.row("wrap").state, rows.hook(name="wrap").failures) == ("runs", 0)
    rows.take()
    assert (rows.row().state, rows.hook().failures_in_a_row) == ("runs", 0)
    assert rows.row().reason.startswith(
        "process_chunk: 2 of 4 calls failed earlier. The last: ValueError: no such pixel. Runs"
    )


def test_a_transform_that_the_configuration_leaves_to_another_is_left_out(rows):
    assert rows.hook(name="other").role == "left out"
    assert "process_chunk is not called: hooks.owner names tst." in rows.row("other").reason


def test_a_call_that_has_not_come_back_is_told_and_after_a_while_a_reason(rows):
    seen = []

    class Slow:
        @hookimpl
        def run_started(self, run):
            for seconds in (3.0, 60.0):
                rows.clock.now_s += seconds
                seen.append(book.rows()[0])

    hooks = Dispatcher([plugin("slow", Slow())], {}, rows.clock)
    config = SimpleNamespace(hooks=SimpleNamespace(owner={}))
    book = PluginBook(hooks, lambda: SimpleNamespace(config=config, instrument=None), rows.clock)
    hooks.run_started(run_info())
    assert [row.hooks[0].running_s for row in seen] == [3.0, 63.0]
    assert ["has not come back for 63 s" in row.reason for row in seen] == [False, True]
    assert book.rows()[0].hooks[0].running_s is None


@pytest.mark.parametrize(
    ("sentence", "names"),
    [
        (
            "Plugin livered 0 failed in reload: Plugin tst (x 1.0, y) is bad: A. Plugin wrap (x 1.0, z) is bad: B. "
            "What ran before still runs.",
            {
                "tst": "Plugin tst (x 1.0, y) is bad: A. Runs",
                "wrap": "Plugin wrap (x 1.0, z) is bad: B. Runs",
            },
        ),
        (
            "Plugin tst (x 1.0, y) cannot be loaded: ImportError.",
            {"tst": "Plugin tst (x 1.0, y) cannot be loaded: ImportError. Runs"},
        ),
        ("plugins.wrap.factor is missing.", {"wrap": "plugins.wrap.factor is missing. Runs"}),
        ("The files cannot be read.", {}),
    ],
    ids=["two", "one", "a setting", "nobody"],
)
def test_what_was_refused_at_reload_is_said_of_the_plugin_it_is_about(rows, sentence, names):
    told = rows.book.rows({"state": "refused", "sentence": sentence})
    refused = {row.name: row.reason for row in told if row.state == "refused"}
    assert set(refused) == set(names)
    assert all(refused[name].startswith(f"What is on disk is not taken up: {names[name]}") for name in names)
    assert {row.state for row in rows.book.rows({"state": "ok", "sentence": sentence})} == {"runs"}


def test_texts_of_others_are_bounded_and_on_one_line(rows):
    rows.take(error=ValueError(NASTY * 1000))
    name = NASTY * 50
    rows.hooks.replace(
        [plugin("tst", rows.owner), *(plugin(f"{n}{name}", Wrapper()) for n in range(150))], {}
    )
    plain = rows_as_dicts(rows.book.rows())
    assert len(plain) == MOST_ROWS
    text = to_json(plain)
    assert len(text) < 150_000

    def texts(value):
        if isinstance(value, dict):
            value = list(value.values())
        return [text for item in value for text in texts(item)] if isinstance(value, list) else [value]

    said = [text for text in texts(json.loads(text)) if isinstance(text, str)]
    assert said
    assert not [text for text in said if FORBIDDEN.search(text)]


def test_the_log_says_what_begins_what_takes_its_place_what_goes_and_what_was_done(rows):
    story = PluginStory()
    begins = dict(story.update(rows.book.rows()))
    assert begins["tst"] == (
        f"Plugin tst 1.0 (dist-of-tst, instrument, native and mantid data) runs: run_started, process_chunk; {__file__}."
    )
    assert "process_chunk (wrapper), post_publish" in begins["wrap"]
    rows.take(0.5)
    rows.take(error=KeyError("x"))
    assert story.update(rows.book.rows()) == []
    rows.clock.now_s += 1.0
    other = attrs.evolve(plugin("tst", Owner(rows.clock)), version="2.0")
    rows.hooks.replace([other, rows.hooks.plugins[1]], {})
    said = story.update(rows.book.rows())
    assert [name for name, _ in said] == ["wrap", "tst"]
    assert said[0][1] == "Plugin wrap 1.0 runs no more: process_chunk 2 calls, mean 750 ms, longest 1.0 s."
    assert said[1][1].startswith(
        "Plugin tst 2.0 (dist-of-tst, instrument, native and mantid data) runs, in the place of 1.0: "
    )
    assert dict(story.endings()) == {
        "tst": (
            "Plugin tst 2.0 in this session: process_chunk 2 calls, mean 750 ms, longest 1.0 s, 1 FAILED (KeyError: 'x')."
        ),
        "other": "Plugin other 1.0 in this session: process_chunk was left to another.",
    }


def test_a_refused_reload_is_in_the_row_of_the_plugin_and_one_taken_up_makes_it_anew(tmp_path, install):
    led = Led(tmp_path, install)
    book = PluginBook(led.hooks, lambda: led.reloader.loaded, led.clock)
    before = book.rows()[0]
    led.write(PLUGIN.replace("SCALE = 1", "import no_such_module"))
    led.reload()
    row = book.rows(led.reloader.status())[0]
    assert (row.name, row.state, row.since_ns) == ("rel", "refused", before.since_ns)
    assert row.reason.startswith(
        "What is on disk is not taken up: Plugin rel (livered-rel 1.0, rel_plugin.plugin:Instrument) "
    )
    assert "ModuleNotFoundError: No module named 'no_such_module'. Runs since" in row.reason
    led.write(PLUGIN.replace("SCALE = 1", "SCALE = 2"))
    led.reload()
    rows = book.rows(led.reloader.status())
    assert [row.state for row in rows] == ["runs", "runs"]
    assert rows[0].since_ns > before.since_ns


@pytest.mark.parametrize(
    ("roles", "is_instrument", "kind"),
    [
        ({"process_chunk": "owner", "run_started": "owner"}, True, "instrument"),
        ({"accumulate": "owner", "post_publish": "owner"}, False, "reduction, sink"),
        ({"process_chunk": "wrapper", "post_process": "wrapper"}, False, "wrapper"),
        ({"process_chunk": "wrapper"}, True, "instrument, wrapper"),
        ({"post_publish": "owner", "session_started": "owner"}, False, "sink"),
        ({"on_error": "owner"}, False, "observer"),
    ],
    ids=["instrument", "reduction-sink", "wrapper", "instrument-wrapper", "sink", "observer"],
)
def test_the_kind_is_what_its_hooks_are_for(roles, is_instrument, kind):
    assert kind_of(roles, is_instrument=is_instrument) == kind


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 ms"),
        (3.1e-4, "0.31 ms"),
        (0.0123, "12 ms"),
        (0.25, "250 ms"),
        (1.23, "1.2 s"),
        (47.4, "47 s"),
    ],
)
def test_times_have_two_digits_that_matter(seconds, words):
    assert took(seconds) == words
