"""Checks of what hands results on: made-up results are handed to it, and it is watched."""

from __future__ import annotations

import contextlib
import copy
import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs

from livered_core.config import plain
from livered_core.errors import HookError, SinkLater, SinkRejected, SinkUnavailable
from livered_core.model import Receipt, Result, Update
from livered_core.testing.checks.finding import (
    CannotTell,
    Found,
    failing,
    not_applicable,
    not_tried,
    ok,
    wrong,
)
from livered_core.testing.checks.session import Session
from livered_core.testing.checks.subject import Subject
from livered_core.testing.checks.values import difference
from livered_core.testing.leaks import LeakWatch
from livered_core.testing.nouns import make_result, make_update

_MOST_FILES: Final = 5000
_ENDS_WITHIN_S: Final = 2.0


@attrs.frozen(eq=False)
class Handed:
    """What came of handing a result to a sink."""

    receipt: Receipt | None
    sizes: dict[str, int]


def _require_sink(subject: Subject) -> None:
    if not subject.is_sink:
        raise CannotTell(not_applicable("it has no post_publish."))
    if not subject.publish:
        raise CannotTell(
            not_tried(
                "nothing is handed to it unasked: it may send what is made up to somebody.",
                "Let --config name a place that is there for tests, and give --publish.",
            )
        )


def _final() -> Update:
    return make_update(2, final=True)


def _hand(session: Session, subject: Subject, result: Result, update: Update) -> Receipt | None:
    try:
        return session.publish(result, subject.run, update)
    except SinkLater as later:
        raise CannotTell(not_tried(f"it wants to be asked again in {later.seconds:g} s.")) from later
    except HookError as error:
        if isinstance(error.__cause__, (SinkUnavailable, SinkRejected)):
            raise CannotTell(
                not_tried(
                    f"it does not take a result ({failing(error)}).", "Give settings with which it does."
                )
            ) from error
        raise


def receipts(subject: Subject) -> Found:
    """See that it takes updates and a final result, and says what it did with a `Receipt`, or None."""
    _require_sink(subject)
    result = make_result(subject.run)
    said = []
    with subject.session() as session:
        for update in (make_update(1), _final()):
            try:
                receipt = _hand(session, subject, result, update)
            except HookError as error:
                return wrong(
                    f"{failing(error)}.",
                    "Return a Receipt or None; raise SinkUnavailable or SinkRejected with a sentence.",
                )
            what = "a final result" if update.final else "an update"
            said.append(f"{what}: {receipt.where if receipt is not None else 'nothing to do'}")
            missing = [] if receipt is None else [file for file in receipt.files if not Path(file).is_file()]
            if missing:
                return wrong(
                    f"the Receipt names {missing[0]}, which is not there.", "Name files by their whole paths."
                )
    return ok(f"{'; '.join(said)}.")


def twice(subject: Subject) -> Found:
    """See that the same final result, handed to a sink again, does no harm that can be seen."""
    _require_sink(subject)
    result = make_result(subject.run)
    before = _sizes(_places(subject, None))
    with subject.session() as session:
        try:
            receipt = _hand(session, subject, result, _final())
            places = _places(subject, receipt)
            once = _sizes(places)
            again = _hand(session, subject, result, _final())
            twice_ = _sizes(places)
        except HookError as error:
            return wrong(
                f"the same final result again: {failing(error)}.",
                "livered offers it again when it is not sure that it was taken.",
            )
    remedy = "Write over what is there (by run number, say) in place of adding to it."
    added = sorted(set(twice_) - set(once))
    if added:
        return wrong(f"the same final result again makes another file, {added[0]}.", remedy)
    for path, size in sorted(twice_.items()):
        first, second = once[path] - before.get(path, 0), size - once[path]
        if second > 0 and second >= first / 2:
            return wrong(f"the same final result again lets {path} grow by {second} bytes more.", remedy)
    other = "" if again is None else f"; the second time it said {again.where}"
    return ok(f"the same final result twice: no file has grown, and none has come{other}.")


def result_untouched(subject: Subject) -> Found:
    """See that a result is as it was after it was handed over: others get it, too."""
    _require_sink(subject)
    result = make_result(subject.run)
    kept = copy.deepcopy(result)
    with subject.session() as session:
        try:
            _hand(session, subject, result, _final())
        except HookError as error:
            raise CannotTell(not_tried(f"{failing(error)}.")) from error
    changed = difference(kept, result, tolerance=0.0)
    if changed is not None:
        return wrong(
            f"post_publish changes the result ({changed}).", "Work on a copy: other sinks get the same one."
        )
    return ok("results are as they were.")


def leaks(subject: Subject) -> Found:
    """See that a session leaves nothing behind: threads, open files, child processes, variables of the environment."""
    gc.collect()  # what earlier sessions have left would hide what this one leaves
    watch = LeakWatch(patience_s=_ENDS_WITHIN_S)
    with subject.session() as session:
        if subject.is_sink and subject.publish:
            with contextlib.suppress(HookError, CannotTell):  # another check says it
                _hand(session, subject, make_result(subject.run), _final())
        elif subject.transforms and "native" in subject.data_models:
            with contextlib.suppress(HookError):  # another check says it
                session.result(session.reduce(subject.chunks[:1], subject.run))
            session.end(subject.run)
    # The plugin is still there: what it has forgotten to close is not closed by its going.
    if watch.sentence():
        left = "; ".join(leak.what for leak in watch.leaks())
        return wrong(f"after session_ended there is still {left}.", "Close in session_ended what was opened.")
    return ok("nothing is left after session_ended: no thread, no open file, no child process.")


def _places(subject: Subject, receipt: Receipt | None) -> list[Path]:
    """Return where something may be written: what the settings name, and what a receipt does."""
    texts = [subject.output_dir]
    texts += _texts(plain(subject.settings)) if subject.settings is not None else []
    if receipt is not None:
        texts += [receipt.where, *receipt.files]
    paths = [path for text in texts if (path := Path(text)).is_absolute()]
    return list(
        dict.fromkeys(path if path.is_dir() else path.parent for path in paths if path.parent.is_dir())
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _sizes(places: list[Path]) -> dict[str, int]:
    """Return the files in folders and in the folders in them, with their sizes."""
    found: dict[str, int] = {}
    for place in places:
        for folder, folders, names in os.walk(place):
            if Path(folder) != place:
                folders.clear()
            for name in names:
                path = Path(folder, name)
                try:
                    found[str(path)] = path.stat().st_size
                except OSError:
                    continue  # gone meanwhile
            if len(found) > _MOST_FILES:
                return found
    return found
