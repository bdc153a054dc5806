"""``docs/hooks.md`` is what its tool makes, and the examples in it work."""

from __future__ import annotations

import runpy

import numpy as np
import pytest

from examples_support import REPOSITORY
from hooks_support import chunk, dispatcher, plugin, result, run_info, session_info, update
from livered_core import Curve, Result, RunEndReason, hookimpl
from livered_core.hooks.inspection import HOOKS, hook_problems
from livered_core.hooks.plugin_state import restore_states, save_states
from livered_core.model import HookFailure

DOCUMENT = REPOSITORY / "docs" / "hooks.md"
TOOL = REPOSITORY / "docs" / "tools" / "make_hooks_reference.py"


@pytest.fixture(scope="module")
def tool():
    return runpy.run_path(str(TOOL))


def test_the_page_is_what_the_tool_makes(tool):
    assert DOCUMENT.read_text(encoding="utf-8") == tool["reference"](), (
        "run: python docs/tools/make_hooks_reference.py"
    )


def test_every_hook_has_its_section(tool):
    sections = [line[4:] for line in tool["reference"]().splitlines() if line.startswith("### ")]
    assert set(HOOKS) <= set(sections)
    assert tool["signature"]("accumulate") == (
        "accumulate(accumulated: Any, processed: Any, chunk: Chunk, run: RunInfo) -> Any"
    )


@pytest.mark.parametrize(
    "text",
    [
        "Do.\n\nThread: main.\nWhen: now.\nReturns: nothing.\nOn failure: no.\n\nExamples\n--------\n>>> 1",
        "Do.\n\nWhen: now.\nThread: main.\nReturns: nothing.\nOn failure: no.",
        "Do.\n\nMore.\n\nWhen: now.\nThread: main.\nReturns: nothing.\nOn failure: no.\n\nExamples\n--------\n>>> 1",
    ],
)
def test_a_docstring_that_leaves_something_out_is_refused(tool, monkeypatch, text):
    monkeypatch.setitem(tool["section"].__globals__, "documentation", lambda hook: text)
    with pytest.raises(ValueError, match="docstring of run_started must say When, Thread"):
        tool["section"]("run_started")


def examples(tool):
    """Return the plugin class of each hook's example, by the hook."""
    classes = {}
    for hook in HOOKS:
        code = tool["section"](hook).split("```python\n")[2].split("```")[0]
        names = {"hookimpl": hookimpl, "np": np, "Curve": Curve, "Result": Result}
        exec(compile(code, f"example of {hook}", "exec"), names)
        classes[hook] = names["Plugin"]
    return classes


CALLS = {
    "session_started": (lambda hooks: hooks.session_started(session_info()), "reducing TST from adara://"),
    "run_started": (lambda hooks: hooks.run_started(run_info(7)), "run 7: title 7"),
    "run_ended": (lambda hooks: hooks.run_ended(run_info(7), RunEndReason.ENDED), "run 7 ended"),
    "session_ended": (lambda hooks: hooks.session_ended(session_info()), "good night"),
    "on_error": (
        lambda hooks: hooks.report(HookFailure("p", "1", "accumulate", "no", "", 3, 1), None),
        "Plugin p 1 failed in accumulate on chunk 3: no",
    ),
    "process_chunk": (lambda hooks: print(hooks.process_chunk(chunk(events=3), run_info())[0]), "3"),
    "accumulate": (
        lambda hooks: print(
            hooks.accumulate(None, 3, chunk(), run_info()), hooks.accumulate(3, 4, chunk(), run_info())
        ),
        "3 7",
    ),
    "post_process": (
        lambda hooks: print(hooks.post_process(np.arange(3), run_info(), update()).curves[0].y),
        "[0. 1. 2.]",
    ),
    "post_publish": (
        lambda hooks: hooks.post_publish("example", result(), run_info(7), update()),
        "run 7: 1 events in 1 curves",
    ),
}


@pytest.mark.parametrize("hook", HOOKS)
def test_the_example_of_each_hook_works(tool, capsys, hook):
    example = examples(tool)[hook]
    assert hook_problems(example) == []
    call, said = CALLS[hook]
    hooks = dispatcher(plugin("example", example()))
    call(hooks)
    assert capsys.readouterr().out.startswith(said)
    assert not any(entry.failures for entry in hooks.statistics().values())


def test_the_example_of_what_goes_on_after_a_crash_works(tool):
    code = tool["KEPT"].rpartition("```python\n")[2].partition("```")[0]
    names = {"hookimpl": hookimpl, "np": np}
    exec(compile(code, "example of save_state", "exec"), names)
    before, after = plugin("example", names["Plugin"]()), plugin("example", names["Plugin"]())
    assert hook_problems(names["Plugin"]) == []
    for each in (before, after):
        each.instance.run_started(run_info())
    before.instance.process_chunk(chunk(events=3))
    assert restore_states([after], save_states([before])) == ""
    assert after.instance.process_chunk(chunk(events=5))[0] == 2
