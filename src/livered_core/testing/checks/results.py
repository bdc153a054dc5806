"""Checks of what comes out: that the plugin gets through its data, and that its result can be shown and published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from livered_core.errors import BackendUnavailable, DataModelError, HookError
from livered_core.model import Curve, Image, Result, RunInfo
from livered_core.model.text import one_line
from livered_core.testing.checks.finding import (
    CannotTell,
    Found,
    counted,
    failing,
    first_wrong,
    not_applicable,
    not_tried,
    ok,
    wrong,
)
from livered_core.testing.checks.session import Session
from livered_core.testing.checks.subject import Subject
from livered_core.testing.checks.values import shared

MOST_POINTS: Final = 2_000_000
"""Points of a curve, or cells of an image, that a page can still show."""
LONGEST_NOTE: Final = 500
"""Characters of a text in the metadata: more is no note."""


def native_data(subject: Subject) -> Found:
    """See that it reduces livered's own events, if it says so."""
    if not subject.transforms:
        return not_applicable("it owns and wraps no transform.")
    if "native" not in subject.data_models:
        return not_applicable("it does not say that it works on livered's own events.")
    n_events = sum(chunk.n_events for chunk in subject.chunks)
    with subject.session() as session:
        try:
            state = session.reduce(subject.chunks, subject.run)
        except HookError as error:
            return _failure(error)
    if state.skipped_chunks == len(subject.chunks):
        return not_tried(
            f"it leaves out all {state.skipped_chunks} chunks (SKIP).",
            "Give settings with which it takes some of the data.",
        )
    left_out = f", {state.skipped_chunks} left out (SKIP)" if state.skipped_chunks else ""
    return ok(f"{counted(n_events, 'event')} in {len(subject.chunks)} chunks{left_out}.")


def mantid_data(subject: Subject) -> Found:
    """See that it reduces Mantid's workspaces, if it says so."""
    if not subject.transforms:
        return not_applicable("it owns and wraps no transform.")
    if "mantid" not in subject.data_models:
        return not_applicable("it does not say that it works on Mantid's workspaces.")
    from livered_core.testing.mantid_chunks import as_mantid

    try:
        chunks = [as_mantid(chunk) for chunk in subject.chunks[:2]]
    except BackendUnavailable as error:
        return not_tried(f"{str(error).rstrip('.')}.", "Check it again in an environment with Mantid.")
    except DataModelError as error:
        return not_tried(f"{str(error).rstrip('.')}.", "Give data with an instrument definition.")
    session = Session(subject.loaded(), subject.run.instrument, model="mantid")
    with session:
        try:
            state = session.reduce(chunks, subject.run)
            result = session.result(state)
        except HookError as error:
            return _failure(error)
    if state.accumulated is None:
        return not_tried(
            "it leaves out all chunks (SKIP).", "Give settings with which it takes some of the data."
        )
    found = [] if result is None else list(result_problems(result, subject.run))
    return first_wrong(found, "See the check of results.", f"{counted(len(chunks), 'workspace')} of events.")


def _failure(error: HookError) -> Found:
    return wrong(f"{failing(error)}.", "Its traceback is what `livered plugin test` shows; mend it first.")


def results(subject: Subject) -> Found:
    """See that the result can be shown: units, lengths, labels, errors, run number, metadata."""
    subject.require_native()
    with subject.session() as session:
        try:
            state = session.reduce(subject.chunks, subject.run)
        except HookError as error:
            raise CannotTell(not_tried(f"it does not get through the data ({failing(error)}).")) from error
        if state.accumulated is None:
            return not_tried("nothing is accumulated.", "Give settings with which it takes some of the data.")
        try:
            result = session.result(state)
        except HookError as error:
            return wrong(
                f"{failing(error)}.",
                "The text says what is missing; docs/writing-a-plugin.md says what a curve needs.",
            )
    if result is None:
        return wrong(
            f"no result is made of what is accumulated (a {type(state.accumulated).__name__}).",
            "Implement post_process, or accumulate what livered knows how to draw.",
        )
    n_points = sum(len(curve.y) for curve in result.curves)
    return first_wrong(
        result_problems(result, subject.run),
        "Correct it where post_process makes it.",
        f"{counted(len(result.curves), 'curve')} with {counted(n_points, 'point')} and "
        f"{counted(len(result.images), 'image')}; units, labels, errors "
        "and metadata are well.",
    )


def apart(subject: Subject) -> Found:
    """See that a result has memory of its own."""
    _ = subject.baseline
    chunks = subject.chunks
    with subject.session() as session:
        state = session.reduce(chunks, subject.run)
        result = session.result(state)
    said = shared(result, state.accumulated, ("result", "accumulated"))
    for chunk in chunks:
        said = said or shared(result, chunk.data, ("result", "chunk.events"))
    if said:
        return wrong(
            f"the result shares memory: {said}.",
            "Let Curve and Image copy what they are given; do not put arrays in afterwards.",
        )
    return ok("the result has memory of its own.")


def result_problems(result: Result, run: RunInfo) -> Iterator[str]:
    """Give a sentence for each thing that is wrong with a result.

    Parameters
    ----------
    result
        What `post_process` returned.
    run
        The run it was made for.
    """
    if result.run_number != run.number:
        yield f"the result is of run {result.run_number} and was made for run {run.number}."
    if not result.curves and not result.images:
        yield "the result holds no curve and no image."
    yield from _notes("the result", result.metadata)
    for kind, items in (("curve", result.curves), ("image", result.images)):
        labels: list[str] = [item.label for item in items]
        for label in sorted({label for label in labels if labels.count(label) > 1}):
            yield f"two {kind}s are called {label!r}."
        for label in labels:
            if not label.strip() or one_line(label) != label:
                yield f"the label {label!r} of a {kind} is not one printable line."
    for curve in result.curves:
        yield from _curve(curve)
    for image in result.images:
        yield from _image(image)


def _curve(curve: Curve) -> Iterator[str]:
    what = f"curve {curve.label!r}"
    yield from _units(what, curve, ("x_unit", "y_unit"))
    yield from _notes(what, curve.metadata)
    if not 0 < len(curve.y) <= MOST_POINTS:
        yield f"{what} has {len(curve.y):,} points: a curve has from 1 to {MOST_POINTS:,}."
    if len(curve.e) != len(curve.y) or len(curve.x) - len(curve.y) not in (0, 1):
        yield f"{what} has {len(curve.x)} x, {len(curve.y)} y and {len(curve.e)} e."
    if not np.isfinite(curve.x).all():
        yield f"{what} has an x that is not finite."
    negative = int(np.count_nonzero(curve.e < 0))
    if negative:
        yield f"{what} has {negative} negative errors: e is a standard deviation."
    if len(curve.y) and not np.isfinite(curve.y).any():
        yield f"{what} has no finite y at all."


def _image(image: Image) -> Iterator[str]:
    what = f"image {image.label!r}"
    yield from _units(what, image, ("x_unit", "y_unit", "z_unit"))
    yield from _notes(what, image.metadata)
    if not 0 < image.z.size <= MOST_POINTS:
        yield f"{what} has {image.z.size:,} cells: an image has from 1 to {MOST_POINTS:,}."
    if not (np.isfinite(image.x).all() and np.isfinite(image.y).all()):
        yield f"{what} has an edge that is not finite."


def _units(what: str, noun: Any, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        unit = getattr(noun, name)
        if not isinstance(unit, str) or not unit.strip() or one_line(unit) != unit:
            yield f"{what} has no {name} that can be printed."


def _notes(what: str, metadata: Mapping[str, Any]) -> Iterator[str]:
    for key, value in metadata.items():
        for text in (key, value) if isinstance(value, str) else (key,):
            if one_line(text) != " ".join(text.split(" ")) or len(text) > LONGEST_NOTE:
                yield f"{what} has a note {key[:40]!r} that is not one printable line of at most {LONGEST_NOTE} characters."
