"""What plugins hand over is checked where they make it, so that the plugin's own traceback names the line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core import Curve, Image, Receipt, Result


def curve(**changes):
    values = {"label": "c", "x": [0, 1], "y": [1, 2], "e": [1, 1], "x_unit": "Angstrom", "y_unit": "counts"}
    return Curve(**{**values, **changes})


def image(**changes):
    values = {"label": "i", "x": [0, 1], "y": [0, 1], "z": [[1]]}
    return Image(**{**values, **changes}, x_unit="us", y_unit="deg", z_unit="counts")


def result(**changes):
    return Result(**{"run_number": 7, "title": "t", "curves": [curve()], **changes})


MAKERS = {"Curve 'c'": curve, "Image 'i'": image, "Result of run 7": result}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize(
    ("given_value", "kept"),
    [
        (np.int64(3), 3),
        (np.uint8(3), 3),
        (2**70, 2**70),
        (np.float32(1.5), 1.5),
        (np.longdouble(1.5), 1.5),
        (Fraction(3, 2), 1.5),
        (np.True_, True),
        (False, False),
        (np.str_("text"), "text"),
        (np.inf, np.inf),
    ],
)
def test_metadata_become_plain_python(make, given_value, kept):
    (note,) = make(metadata={"k": given_value}).metadata.values()
    assert note == kept
    assert type(note) is type(kept)


@given(st.dictionaries(st.text(), st.booleans() | st.integers(-(2**63), 2**64) | st.floats() | st.text()))
def test_plain_metadata_stay_as_they_are(metadata):
    made = curve(metadata=metadata)
    assert list(map(repr, made.metadata.items())) == list(map(repr, metadata.items()))


def test_metadata_that_change_later_do_not_change_a_curve():
    metadata = {"k": 1}
    made = curve(metadata=metadata)
    metadata["k"] = 2
    assert made.metadata == {"k": 1}


@pytest.mark.parametrize(("owner", "make"), MAKERS.items(), ids=MAKERS)
@pytest.mark.parametrize(
    ("metadata", "error", "sentence"),
    [
        ({"k": [1]}, TypeError, " has metadata 'k' of type list: give a number, a bool or a short text."),
        ({"k": None}, TypeError, " has metadata 'k' of type NoneType: give"),
        ({"k": 1j}, TypeError, " has metadata 'k' of type complex: give"),
        ({"k": np.zeros(2)}, TypeError, " has metadata 'k' of type ndarray: give"),
        ({"k": b"raw"}, TypeError, " has metadata 'k' of type bytes: give"),
        ({1: 1}, TypeError, " has the metadata key 1 of type int: keys are texts."),
        ({"k": 10**400}, ValueError, " has metadata 'k' too large for a float: scale it or give it as text."),
        ([("k", 1)], TypeError, " has a list as metadata: give a dictionary."),
        (None, TypeError, " has a NoneType as metadata: give a dictionary."),
    ],
)
def test_metadata_that_cannot_be_shown_are_refused_by_name(owner, make, metadata, error, sentence):
    with pytest.raises(error) as caught:
        make(metadata=metadata)
    assert str(caught.value).startswith(owner + sentence)


@pytest.mark.parametrize("x", [[0, 0], [-np.inf, np.inf], [1, 2, 3], [1, 1, 2]])
def test_x_may_have_equal_neighbours(x):
    assert curve(x=x).x.tolist() == x


def test_a_curve_may_be_empty():
    assert curve(x=[], y=[], e=[]).y.size == 0


@pytest.mark.parametrize(
    ("make", "changes", "sentence"),
    [
        (curve, {"x": [1, 0]}, "The x of curve 'c' falls from 1 to 0 at index 1: sort it in ascending order"),
        (curve, {"x": [1, 2, 1.5]}, "The x of curve 'c' falls from 2 to 1.5 at index 2: sort"),
        (curve, {"x": [0, np.nan]}, "The x of curve 'c' has NaN at index 1: leave such points out."),
        (curve, {"x": [np.nan], "y": [1], "e": [1]}, "The x of curve 'c' has NaN at index 0"),
        (image, {"x": [1, 0]}, "The x of image 'i' falls from 1 to 0 at index 1"),
        (image, {"y": [0, np.nan]}, "The y of image 'i' has NaN at index 1"),
        (
            image,
            {"x": [[0, 1]]},
            "Image 'i' has z[1, 1] for x[1, 2] and y[2]: x and y must be lists of edges",
        ),
    ],
)
def test_axes_that_cannot_be_drawn_are_refused(make, changes, sentence):
    with pytest.raises(ValueError) as caught:
        make(**changes)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("make", "changes", "sentence"),
    [
        (curve, {"label": 3}, "Curve.label must be a text and is a int."),
        (curve, {"x_name": None}, "Curve.x_name must be a text and is a NoneType."),
        (curve, {"y_name": b"y"}, "Curve.y_name must be a text and is a bytes."),
        (curve, {"y": np.array([1j, 2j])}, "Values of a curve or an image are complex"),
        (image, {"label": None}, "Image.label must be a text and is a NoneType."),
        (result, {"title": None}, "Result.title must be a text and is a NoneType."),
        (result, {"run_number": "7"}, "Result.run_number must be a whole number and is a str."),
        (result, {"curves": [image()]}, "Result.curves must hold Curves and holds a Image."),
        (result, {"images": ["i"]}, "Result.images must hold Images and holds a str."),
    ],
)
def test_what_is_of_another_type_is_refused_by_name(make, changes, sentence):
    with pytest.raises(TypeError) as caught:
        make(**changes)
    assert str(caught.value).startswith(sentence)


def test_numpys_integers_are_numbers_too():
    assert type(result(run_number=np.int32(7)).run_number) is int
    receipt = Receipt("here", np.int64(5), np.uint32(6))
    assert receipt == Receipt("here", 5, 6)
    assert (type(receipt.when_ns), type(receipt.size)) == (int, int)


def test_a_receipt_names_the_files_that_were_written():
    receipt = Receipt("/out", 5, 6, [Path("/out/a.h5"), "/out/b.dat"])
    assert receipt.files == ("/out/a.h5", "/out/b.dat")
    assert Receipt("/out", 5, 6).files == ()


@pytest.mark.parametrize(
    ("values", "error", "sentence"),
    [
        ((Path("/x"), 0, 1), TypeError, r"Receipt\.where must be a text and is a PosixPath\."),
        (("x", 0, None), TypeError, r"Receipt\.size must be a whole number and is a NoneType\."),
        (("x", 0, True), TypeError, r"Receipt\.size must be a whole number and is a bool\."),
        (("x", 1.5, 1), TypeError, r"Receipt\.when_ns must be a whole number and is a float\."),
        (("x", 0, -1), ValueError, r"Receipt\.size must not be negative and is -1\."),
        (
            ("x", 0, 1, "/x"),
            TypeError,
            r"Receipt\.files must hold paths and is a single str: give a list of it\.",
        ),
        (("x", 0, 1, Path("/x")), TypeError, r"Receipt\.files must hold paths and is a single PosixPath: "),
        (("x", 0, 1, None), TypeError, r"Receipt\.files must hold paths and is a NoneType\."),
        (("x", 0, 1, [b"/x"]), TypeError, r"Receipt\.files must hold texts or paths and holds a bytes\."),
    ],
)
def test_a_receipt_that_is_none_is_refused(values, error, sentence):
    with pytest.raises(error, match=sentence):
        Receipt(*values)
