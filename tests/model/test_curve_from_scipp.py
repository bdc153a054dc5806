"""Curves of scipp's arrays."""

from __future__ import annotations

import numpy as np
import pytest

from livered_core import Curve

sc = pytest.importorskip("scipp")


def array(unit="counts", x_unit="angstrom", edges=True, **more):
    data = sc.array(dims=["d_spacing"], values=[1.0, 4.0, 9.0], variances=[1.0, 4.0, 9.0], unit=unit)
    x = sc.array(dims=["d_spacing"], values=[0.5, 1.0, 1.5, 2.5][: 4 if edges else 3], unit=x_unit)
    return sc.DataArray(data, coords={"d_spacing": x}, **more)


@pytest.mark.parametrize("edges", [True, False], ids=["edges", "points"])
def test_columns_and_units_come_over(edges):
    curve = Curve.from_scipp(array(edges=edges, name="I(d)"), "bank 1", metadata={"counts": 14})
    assert curve.label == "bank 1"
    assert curve.is_histogram is edges
    assert curve.x.tolist() == [0.5, 1.0, 1.5, 2.5][: 4 if edges else 3]
    assert (curve.y.tolist(), curve.e.tolist()) == ([1, 4, 9], [1, 2, 3])
    assert (curve.x_unit, curve.y_unit) == ("Angstrom", "counts")
    assert (curve.x_name, curve.y_name) == ("d_spacing", "I(d)")
    assert curve.metadata == {"counts": 14}


def test_names_may_be_given():
    curve = Curve.from_scipp(array(), "a", x_name="d-spacing", y_name="neutrons")
    assert (curve.x_name, curve.y_name) == ("d-spacing", "neutrons")


@pytest.mark.parametrize(
    ("unit", "written"),
    [
        ("1/angstrom", "1/Angstrom"),
        ("us", "us"),
        ("meV", "meV"),
        ("counts/(uA*hour)", "counts/uAh"),
        ("one", "dimensionless"),
        (None, "dimensionless"),
    ],
)
def test_units_are_written_as_livered_does(unit, written):
    assert Curve.from_scipp(array(x_unit=unit), "a").x_unit == written
    assert Curve.from_scipp(array(unit=unit or "one"), "a").y_unit == written


def test_what_is_masked_is_no_value():
    masks = {
        "one": sc.array(dims=["d_spacing"], values=[True, False, False]),
        "all": sc.scalar(False),
        "two": sc.array(dims=["d_spacing"], values=[False, False, True]),
    }
    curve = Curve.from_scipp(array(masks=masks), "a")
    np.testing.assert_array_equal(curve.y, [np.nan, 4, np.nan])
    np.testing.assert_array_equal(curve.e, [np.nan, 2, np.nan])


def test_the_curve_has_memory_of_its_own():
    given = array()
    curve = Curve.from_scipp(given, "a")
    given *= 2.0
    assert curve.y.tolist() == [1, 4, 9]


def binned():
    return sc.data.binned_x(10, 2)


def without(what):
    made = array()
    if what == "x":
        del made.coords["d_spacing"]
    else:
        made.variances = None
    return made


def whole():
    return without("variances").astype("int64")


def dated():
    made = without("x")
    made.coords["d_spacing"] = sc.datetimes(dims=["d_spacing"], values=[1, 2, 3], unit="ns")
    return made


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (binned, r"it is binned; make a histogram of it with array\.hist\(\)"),
        (lambda: sc.data.table_xyz(3).hist(x=2, y=2), r"dimensions \['x', 'y'\]; choose one"),
        (lambda: without("x"), "it has no coordinate 'd_spacing'"),
        (lambda: without("variances"), "it has no variances; for counts"),
        (whole, r"of type int64 and so without variances; for counts, take array.to\(dtype='float64'\)"),
        (dated, "of type datetime64 .* a curve needs numbers"),
    ],
    ids=["binned", "two dimensions", "no x", "no variances", "whole numbers", "times"],
)
def test_what_is_no_curve_is_said(make, said):
    with pytest.raises(ValueError, match=rf"^Curve 'a' cannot be made of this scipp.DataArray: .*{said}"):
        Curve.from_scipp(make(), "a")


def test_what_is_no_array_of_scipp_is_said():
    with pytest.raises(TypeError, match=r"made of a scipp\.DataArray and not of a ndarray"):
        Curve.from_scipp(np.zeros(3), "a")
