"""Make ``docs/hooks.md`` of the hook specifications and the transcripts.

``python docs/tools/make_hooks_reference.py`` writes it.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from livered_core.hooks.spec import LIFECYCLE, OUTWARD, TRANSFORMS, LiveredHooks

REPOSITORY = Path(__file__).parents[2]
TARGET = REPOSITORY / "docs" / "hooks.md"
TRANSCRIPTS = REPOSITORY / "tests" / "engine" / "transcripts"

FIELDS = ("When", "Thread", "Returns", "On failure")
"""What each docstring says, in this order."""

KINDS = {
    "Lifecycle": (
        LIFECYCLE,
        "Every plugin that implements the hook is called; none can keep another from it.",
    ),
    "Transforms": (
        TRANSFORMS,
        "One plugin owns each. Others may wrap it with `@hookimpl(wrapper=True)`. Where no plugin implements it, or its\n"
        "owner returns None, a built-in default does it.",
    ),
    "Outward": (OUTWARD, "Every plugin that implements the hook, a *sink*, is called with each result."),
}
"""Kinds of hooks: which they are, and what is common to them."""

PLACES = ("src/livered_core/hooks", "src/livered_core/publish", "plugins/*/src", "examples/*/src")
"""Where to look for plugins that implement a hook, in this order."""

TITLES = {
    "normal_run": "A normal run",
    "two_runs": "Two runs",
    "failing_chunk": "A plugin fails on one chunk",
    "too_many_failures": "A plugin fails again and again (here the limit is 2)",
    "failing_sink": "A sink fails twice",
    "signal": "SIGTERM or SIGINT in the middle of a run",
}
"""Headings of the transcripts, by the names of their files."""

HEAD = """\
# Hooks

<!-- Made of the hook specifications by docs/tools/make_hooks_reference.py: edit those, and run it. -->

A plugin is a class; its methods that are marked with `@hookimpl` are called *hooks*. This page says for each hook when
it is called, on which thread, what it may return, and what happens when it fails.
[Writing a plugin](writing-a-plugin.md) is the place to begin.

A method takes the arguments that it needs, by their names; the others may be left out. Everything that a hook gets can
be imported from `livered_core`. A misspelt hook, an argument that it does not have and a hook without its mark are
errors at start.

## The order

```text
load the plugins -> validate -> look for conflicts -> session_started*
  +- a run begins -> run_started*
  |    chunk -> process_chunk -> accumulate                                   (again and again)
  |    every update_every seconds: post_process -> the result is shown -> post_publish*
  +- the run ends -> post_process (final) -> the result is shown -> post_publish* and run_ended*
session_ended*, in reverse order

* every plugin, in the order of the configuration       any failure that is contained -> on_error*
```

`session_started` is called on the main thread, transforms and the hooks of runs on the reduction thread,
`post_publish` on a thread of each sink, `session_ended` on one of its own. A transform is never called while another one runs.
`post_publish` runs beside the reduction and does not hold it up: so the final `post_publish` of a run may come before,
after or while `run_ended` is called.
"""

KEPT = """\
## What goes on after a crash

With livered's own backend the run in hand is kept on disk every 30 s or so (the table `[checkpoint]`). After a crash, a
kill or a restart the next session goes on from there, with the same settings, the same code and the same plugins; its
final result is the same in every bit. Else the run is replayed from its start.

For that, what is *accumulated* must be something that a checkpoint can hold: None, bools, numbers, texts, bytes, tuples,
lists, dictionaries, sets, members of enumerations, numpy arrays and scalars, and instances of attrs classes and of
dataclasses that a module has under their names. Of an instance all fields are kept and set again, without a call of the
constructor; an attribute that is no field cannot be kept. What a checkpoint cannot hold is said once in the log, with
its place and its type, and then there are no checkpoints of the run.

A plugin that keeps something of the run *beside* what is accumulated, on which the result depends, implements two
methods. They are no hooks, and have no mark. A plugin that implements one of them implements both.

### save_state

```python
save_state() -> Any
```

Give what you keep of the run in hand.

- **When**: between two chunks, as often as a checkpoint is made, and at the end of the run and of the session.
- **Thread**: reduction.
- **Returns**: something that a checkpoint can hold, and that is not changed later.
- **On failure**: said in the log; there is no checkpoint.

### restore_state

```python
restore_state(state: Any) -> None
```

Take what `save_state` gave in another session.

- **When**: after `run_started` of the run that goes on, and before its next chunk. The next call may be
  `post_process`, if no more chunks come: what `process_chunk` prepares for it must be there.
- **Thread**: reduction.
- **Returns**: nothing.
- **On failure**: the run is replayed from its start, beginning with `run_started`. So raise when the run cannot go on
  exactly, for example because a file that it depends on is another one than when it was begun.

```python
class Plugin:
    @hookimpl
    def run_started(self, run):
        self.background = None

    @hookimpl
    def process_chunk(self, chunk):
        counts = np.bincount(chunk.events.pixel_id, minlength=1024)
        if self.background is None:
            self.background = counts  # the first chunk of a run is measured with the shutter closed
        return counts - self.background

    def save_state(self):
        return self.background

    def restore_state(self, state):
        self.background = state
```
"""

ELSEWHERE = """\
## Chunks in other processes

With `[engine] executor = "dask"` `process_chunk` runs on workers ([Beyond one machine](beyond-one-machine.md)): several
chunks at the same time, each in some process, in an instance of your class that livered makes there. The other
transforms, sinks and ends of runs stay in the session's own instance, which gets the answers in the order of the
chunks. A class says that this is right for it with

```python
process_elsewhere: ClassVar[bool] = True
```

It is right where what `process_chunk` returns depends on the chunk, the run and the settings alone, and can be pickled.
It is not right for the class above, whose first chunk counts for all that follow. Without that line such a session does
not start.

An instance elsewhere gets `session_started`, with `session.elsewhere` true, `run_started`, then `restore_state` with
what `save_state` of the session's own instance gave at the beginning of the run, where the class has both, and then
chunks, one at a time. When the run or the session ends it gets `run_ended` and `session_ended`; when its worker is lost
it gets nothing more. A failure there counts as one here, with its traceback, and what it logs as a warning or worse
comes into livered's log.

### processed_elsewhere

```python
processed_elsewhere(chunk: Chunk) -> None
```

Take note of a chunk that an instance elsewhere has processed: what `process_chunk` prepares for `post_process` beside
its answer must be prepared here, too. Optional, and no hook.

- **When**: before `accumulate` of the chunk, in the order of the chunks; also of one that was left out with `SKIP`.
- **Thread**: reduction.
- **Returns**: nothing.
- **On failure**: as of `process_chunk`: the chunk is dropped and counted.
"""

TRANSCRIPT_HEAD = """\
## What it looks like

These are transcripts of real sessions, and the tests compare them word for word. `tst` is an instrument's plugin that
counts events, and `sink` takes what it made; each line begins with the thread. What the publish and the reduction
thread do at the same time, at the end of a run, is put into one order.
"""


def reference() -> str:
    """Write the whole page."""
    parts = [HEAD]
    found = implementations()
    for kind, (hooks, about) in KINDS.items():
        parts.append(f"## {kind}\n\n{about}\n")
        parts += [section(hook, found.get(hook, ())) for hook in hooks]
    parts += [KEPT, ELSEWHERE, TRANSCRIPT_HEAD]
    parts += transcripts()
    return "\n".join(parts)


def section(hook: str, implemented_by: Sequence[str] = ()) -> str:
    """Write what there is to say of one hook.

    Parameters
    ----------
    hook
        Its name.
    implemented_by
        Plugins to look at, as links.

    Raises
    ------
    ValueError
        When its docstring does not say all of `FIELDS`, in their order.
    """
    text, _, example = documentation(hook).partition("\n\nExamples\n--------\n")
    head, *paragraphs = text.split("\n\n")
    labels = "|".join(FIELDS)
    found = re.split(rf"^({labels}): ", "\n\n".join(paragraphs), flags=re.MULTILINE)
    if found[0].strip() or tuple(found[1::2]) != FIELDS or not example:
        message = f"The docstring of {hook} must say {', '.join(FIELDS)}, in this order, and give an example."
        raise ValueError(message)
    lines = [f"### {hook}", "", "```python", signature(hook), "```", "", _markdown(head), ""]
    lines += [
        f"- **{label}**: {_markdown(body)}" for label, body in zip(found[1::2], found[2::2], strict=True)
    ]
    lines.append(
        f"- **Implemented by**: {', '.join(implemented_by) or 'none of the plugins of this repository'}"
    )
    return "\n".join([*lines, "", "```python", *_code(example), "```", ""])


def implementations() -> dict[str, list[str]]:
    """Look for the plugins of this repository that implement each hook; gives links to their sources, by the hook."""
    found: dict[str, dict[tuple[Path, str], str]] = {}
    for place in PLACES:
        for path in sorted(
            path for folder in sorted(REPOSITORY.glob(place)) for path in folder.rglob("*.py")
        ):
            for kind in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(kind, ast.ClassDef):
                    for hook, wraps in _hooks_of(kind):
                        name = f"{kind.name}, a wrapper" if wraps else kind.name
                        links = found.setdefault(hook, {})
                        # An example may have a second version of its plugin beside the first.
                        links.setdefault(
                            (path.parent, kind.name),
                            f"[{name}](../{path.relative_to(REPOSITORY).as_posix()})",
                        )
    return {hook: list(links.values()) for hook, links in found.items()}


def _hooks_of(kind: ast.ClassDef) -> Iterator[tuple[str, bool]]:
    """Give the methods that are marked with ``@hookimpl``, and whether they are wrappers."""
    for method in kind.body:
        if isinstance(method, ast.FunctionDef):
            for mark in map(ast.unparse, method.decorator_list):
                if mark.partition("(")[0] == "hookimpl":
                    yield method.name, "wrapper=True" in mark


def documentation(hook: str) -> str:
    """Return the docstring of a hook specification, without its indentation."""
    return inspect.getdoc(getattr(LiveredHooks, hook)) or ""


def signature(hook: str) -> str:
    """Write the signature of a hook specification as it is in the source, without ``self``."""
    parsed = inspect.signature(getattr(LiveredHooks, hook))
    arguments = [f"{name}: {value.annotation}" for name, value in parsed.parameters.items() if name != "self"]
    return f"{hook}({', '.join(arguments)}) -> {parsed.return_annotation}"


def transcripts() -> Iterator[str]:
    """Write each transcript below its heading.

    Raises
    ------
    ValueError
        When `TITLES` and the files are not the same.
    """
    names = {path.stem for path in TRANSCRIPTS.glob("*.txt")}
    if names != set(TITLES):
        message = f"TITLES must name the transcripts: {', '.join(sorted(names ^ set(TITLES)))} differ."
        raise ValueError(message)
    for name, title in TITLES.items():
        text = (TRANSCRIPTS / f"{name}.txt").read_text(encoding="utf-8").rstrip()
        yield f"### {title}\n\n```text\n{text}\n```\n"


def _markdown(text: str) -> str:
    return " ".join(text.split()).replace("``", "`")


def _code(example: str) -> Iterator[str]:
    for line in example.rstrip().splitlines():
        if not line.startswith((">>> ", "... ", "...")):
            message = f"An example must hold code alone, not {line!r}."
            raise ValueError(message)
        yield line[4:].rstrip()


def main() -> None:
    """Write the page."""
    TARGET.write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
