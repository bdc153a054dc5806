"""Checks of what is done with data that are lent: a chunk, and what is accumulated."""

from __future__ import annotations

import copy
import gc
import hashlib
import weakref
from typing import Any

import attrs
import numpy.typing as npt

from livered_core.errors import HookError
from livered_core.hooks.markers import SKIP
from livered_core.model import Chunk, EventBatch, RunInfo
from livered_core.testing.checks.copies import copy_chunk
from livered_core.testing.checks.finding import Found, failing, not_applicable, not_tried, ok, wrong
from livered_core.testing.checks.session import Session
from livered_core.testing.checks.subject import Subject
from livered_core.testing.checks.values import arrays_of, difference, shared

_COLUMNS = tuple(field.name for field in attrs.fields(EventBatch))
_COPY = "Copy what you need (array.copy()), and keep nothing of a chunk after the hook has returned."


@attrs.frozen(eq=False)
class Lent:
    """A copy of a chunk that is watched.

    Attributes
    ----------
    digests
        Name of each array to the SHA-256 of its content.
    parts
        What must be gone when the chunk is dropped: names, and weak references.
    """

    digests: dict[str, str]
    parts: tuple[tuple[str, weakref.ref[Any]], ...]

    def changed(self, chunk: Chunk) -> list[str]:
        """Name the arrays of the chunk that are not what they were."""
        return [name for name, array in _arrays(chunk) if _digest(array) != self.digests[name]]

    def alive(self) -> list[tuple[str, Any]]:
        """Return what is still held by somebody."""
        if all(ref() is None for _, ref in self.parts):
            return []
        gc.collect()
        return [(name, there) for name, ref in self.parts if (there := ref()) is not None]


def lend(chunk: Chunk, *, writeable: bool = False) -> tuple[Chunk, Lent]:
    """Copy a chunk, and watch the copy.

    Parameters
    ----------
    chunk, writeable
        As of `livered_core.testing.checks.copies.copy_chunk`.
    """
    lent = copy_chunk(chunk, writeable=writeable)
    parts: list[tuple[str, weakref.ref[Any]]] = [
        ("the chunk", weakref.ref(lent)),
        ("chunk.events", weakref.ref(lent.data)),
        *((f"chunk.events.{name}", weakref.ref(getattr(lent.data, name))) for name in _COLUMNS),
    ]
    for number, monitor in lent.monitors.items():
        parts += [
            (f"chunk.monitors[{number}]", weakref.ref(monitor)),
            (f"chunk.monitors[{number}].tof", weakref.ref(monitor.tof)),
        ]
    return lent, Lent({name: _digest(array) for name, array in _arrays(lent)}, tuple(parts))


def _digest(array: npt.NDArray[Any]) -> str:
    data = repr(array.tolist()).encode() if array.dtype == object else array.tobytes()
    return hashlib.sha256(data).hexdigest()


def _arrays(chunk: Chunk) -> list[tuple[str, npt.NDArray[Any]]]:
    """Give the arrays of a chunk with their names."""
    found = [(f"chunk.events.{name}", getattr(chunk.events, name)) for name in _COLUMNS]
    found += [(f"chunk.monitors{path}", array) for path, array in arrays_of(chunk.monitors)]
    for name, log in chunk.logs.items():
        found += [
            (f"chunk.logs[{name!r}].time_ns", log.time_ns),
            (f"chunk.logs[{name!r}].value", log.value),
        ]
    return found


def _shared(value: Any, chunk: Chunk) -> str:
    """Say what of a value is memory of a chunk's events; empty where nothing is."""
    return shared(value, chunk.data, ("it", "chunk.events")) or shared(
        value, chunk.monitors, ("it", "chunk.monitors")
    )


def not_written(subject: Subject) -> Found:
    """See that nothing is written to the arrays of a chunk."""
    subject.require_native()
    refusal = ""
    lent = [lend(chunk) for chunk in subject.chunks]
    try:
        _reduce(subject, lent)
    except HookError as error:
        # Arrays that can be written to tell whether it does write.
        refusal = failing(error)
        lent = [lend(chunk, writeable=True) for chunk in subject.chunks]
        try:
            _reduce(subject, lent)
        except HookError:
            return not_tried(f"it does not get through the data ({refusal}).")
    changed = sorted({name for chunk, watched in lent for name in watched.changed(chunk)})
    if changed:
        return wrong(f"{', '.join(changed)} is written to, and belongs to livered.", _COPY)
    if refusal:
        return wrong(f"it fails on arrays that can only be read ({refusal}).", _COPY)
    return ok("arrays of chunks were the same afterwards, and it works on those that can only be read.")


def _reduce(subject: Subject, lent: list[tuple[Chunk, Lent]]) -> None:
    with subject.session() as session:
        session.reduce([chunk for chunk, _ in lent], subject.run)


def not_kept(subject: Subject) -> Found:
    """See that nothing of a chunk is held after `process_chunk` and `accumulate`, nor part of what they return."""
    _ = subject.baseline
    with subject.session() as session:
        state = session.reduce(subject.chunks[:1], subject.run)
        for chunk in subject.chunks[1:]:
            returned, watched, said = _process(session, chunk, subject.run)
            if said:
                return wrong(f"what process_chunk returns shares memory with the chunk: {said}.", _COPY)
            if watched.alive():
                del returned
                return _kept("process_chunk", session, watched)
            returned, watched, said = _add(session, state.accumulated, chunk, subject.run)
            if said:
                return wrong(f"what is accumulated shares memory with the chunk: {said}.", _COPY)
            if watched.alive():
                del returned
                return _kept("accumulate", session, watched)
    return ok("chunks were gone when livered dropped them, and nothing shares their memory.")


def _process(session: Session, chunk: Chunk, run: RunInfo) -> tuple[Any, Lent, str]:
    """Process a lent copy, which is dropped; say what of the answer shares its memory."""
    lent, watched = lend(chunk)
    processed = session.process(lent, run)
    session.forget()
    return processed, watched, _shared(processed, lent)


def _add(session: Session, accumulated: Any, chunk: Chunk, run: RunInfo) -> tuple[Any, Lent, str]:
    """Process and add a lent copy, which is dropped; say what of the sum shares its memory."""
    lent, watched = lend(chunk)
    processed = session.process(lent, run)
    if processed is SKIP:
        return None, watched, ""
    added = session.add(accumulated, processed, lent, run)
    session.forget()
    return added, watched, _shared(added, lent)


def _kept(hook: str, session: Session, watched: Lent) -> Found:
    """Say what of a chunk is still there, now that nobody needs what the hook returned."""
    there = watched.alive()
    names = ", ".join(name for name, _ in there)
    if not there:
        return wrong(f"what {hook} returns holds a part of the chunk.", _COPY)
    inside = _inside(session.plugin.instance).items()
    ways = (shared(value, kept, (f"self.{name}", "")) for _, kept in there for name, value in inside)
    where = next((said.partition(" is memory")[0] for said in ways if said), "")
    in_self = f" ({where})" if where else ""
    return wrong(f"after {hook} the plugin still holds {names}{in_self}.", _COPY)


def _inside(instance: Any) -> dict[str, Any]:
    """Return the attributes of a plugin by name."""
    slots = (name for base in type(instance).__mro__ for name in getattr(base, "__slots__", ()))
    names = dict.fromkeys((*getattr(instance, "__dict__", ()), *slots))
    return {
        name: getattr(instance, name)
        for name in names
        if not name.startswith("__") and hasattr(instance, name)
    }


def not_changed(subject: Subject) -> Found:
    """See that `accumulate` and `post_process` leave what was accumulated as it was."""
    baseline = subject.baseline
    with subject.session() as session:
        state = session.begin(subject.run)
        for chunk in subject.chunks:
            before = state.accumulated
            try:
                kept = copy.deepcopy(before)
            except Exception as error:  # noqa: BLE001  (a plugin's class)
                return not_tried(
                    f"a {type(before).__name__} cannot be copied: {type(error).__name__}: {error}."
                )
            state = session.take(state, chunk)
            changed = difference(kept, before, tolerance=0.0)
            if changed is not None:
                return wrong(
                    f"accumulate changes in place what was accumulated before ({changed}).",
                    "Return something new (a + b in place of a += b): after a failure the old one is kept.",
                )
        kept = copy.deepcopy(state.accumulated)
        session.result(state, baseline.update)
        changed = difference(kept, state.accumulated, tolerance=0.0)
        if changed is not None:
            return wrong(
                f"post_process changes what is accumulated ({changed}).",
                "Work on a copy: the next chunk is added to it.",
            )
    if state.n_chunks < 2:
        return not_applicable("only one chunk is taken.")
    return ok("what was accumulated stayed as it was.")
