"""Components that parameters and logs move, with positions worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry_support import TRIPOD, by_log, inside, slow_log, tripod_at, value
from livered_core.errors import GeometryError
from livered_core.geometry import LogUse, moving_logs, read_instrument, wanted_logs


def assert_positions(instrument, *expected):
    np.testing.assert_allclose(instrument.position, expected, rtol=0, atol=1e-12)


def test_a_value_sets_one_coordinate_and_leaves_the_others(read):
    for parameters, (x, y, z) in (
        (value(x=0.5), (0.5, 2, 3)),
        (value(y=-1), (1, -1, 3)),
        (value(z=0.25), (1, 2, 0.25)),
        (value(x=7, z=8), (7, 2, 8)),
    ):
        instrument = read(tripod_at(f'<location x="1" y="2" z="3">{parameters}</location>'))
        assert_positions(instrument, [x + 0.1, y, z], [x, y + 0.1, z], [x, y, z + 0.1])


def test_a_place_that_is_set_leaves_the_rotation(read):
    instrument = read(tripod_at(f'<location x="1" rot="90">{value(x=0, y=0, z=2)}</location>'))
    assert_positions(instrument, [0, 0.1, 2], [-0.1, 0, 2], [0, 0, 2.1])


def test_parameters_count_from_the_parent_and_in_its_axes(read):
    body = (
        f'{TRIPOD}<type name="table"><component type="tripod"><location x="9">{value(x=1, y=0, z=0)}</location>'
        '</component></type><component type="table" idlist="ids"><location z="2" rot="90"/></component>'
    )
    # The table turns x to y.
    assert_positions(read(body), [0, 1.1, 2], [-0.1, 1, 2], [0, 1, 2.1])


@pytest.mark.parametrize(
    ("parameters", "centre"),
    [
        (value(r_position=2), (0, 0, 2)),
        (value(r_position=2, t_position=90), (2, 0, 0)),
        (value(r_position=2, t_position=90, p_position=90), (0, 2, 0)),
        (value(r_position=2, t_position=30, p_position=180), (-1, 0, math.sqrt(3))),
        (value(r_position=2, t_position=90, y=5), (2, 5, 0)),
        (value(t_position=90, p_position=90), (1, 2, 3)),
    ],
)
@pytest.mark.parametrize("unit", ["degree", "radian"])
def test_spherical_positions_are_in_degrees_whatever_the_unit(define, parameters, centre, unit):
    definition = define(tripod_at(f'<location x="1" y="2" z="3">{parameters}</location>'))
    definition = type(definition)(
        "TEST", definition.xml.replace('angle unit="degree"', f'angle unit="{unit}"')
    )
    assert_positions(read_instrument(definition), *(np.array(centre) + 0.1 * np.eye(3)))


@pytest.mark.parametrize(
    ("parameters", "x", "y", "z"),
    [
        (value(rotx=90), (1, 0, 0), (0, 0, 1), (0, -1, 0)),
        (value(roty=90), (0, 0, -1), (0, 1, 0), (1, 0, 0)),
        (value(rotz=90), (0, 1, 0), (-1, 0, 0), (0, 0, 1)),
        # The turn about z comes first, then the one about y, then the one about x.
        (value(rotx=90, rotz=90), (0, 0, 1), (-1, 0, 0), (0, -1, 0)),
        (value(rotx=90, roty=90), (0, 1, 0), (0, 0, 1), (1, 0, 0)),
        (value(rotz=90, roty=90), (0, 1, 0), (0, 0, 1), (1, 0, 0)),
    ],
)
def test_rotations_replace_that_of_the_location(read, parameters, x, y, z):
    for turn in ("", 'rot="77"'):
        instrument = read(tripod_at(f'<location z="2" {turn}>{parameters}</location>'))
        assert_positions(instrument, *(np.array([0, 0, 2]) + 0.1 * np.array(axis) for axis in (x, y, z)))


# Five values; their times weigh the first four with 1, 2, 1 and 4 s, and the last with 4 s as well.
LOG = ([0.1, 0.2, 0.6, 0.3, 0.5], [0, 1, 3, 4, 8])


@pytest.mark.parametrize(
    ("extract", "expected"),
    [
        ("", (0.1 + 0.4 + 0.6 + 1.2 + 2.0) / 12),
        ("mean", (0.1 + 0.4 + 0.6 + 1.2 + 2.0) / 12),
        ("first_value", 0.1),
        ("last_value", 0.5),
        ("minimum", 0.1),
        ("maximum", 0.6),
        ("median", 0.3),
        ("position 0", 0.1),
        ("position 2", 0.6),
        ("position 99", 0.5),
    ],
)
def test_a_log_gives_the_value_that_is_asked_for(read, extract, expected):
    body = tripod_at(f'<location z="1">{by_log("x", extract=extract)}</location>')
    instrument = read(body, logs={"motor": slow_log(*LOG)})
    assert_positions(instrument, [expected + 0.1, 0, 1], [expected, 0.1, 1], [expected, 0, 1.1])


def test_a_log_of_one_value_or_of_one_instant_has_its_last_value_as_mean(read):
    body = tripod_at(f'<location z="1">{by_log("x")}</location>')
    assert read(body, logs={"motor": slow_log([4])}).position[1, 0] == 4
    assert read(body, logs={"motor": slow_log([4.0, 6.0], [3, 3])}).position[1, 0] == 6


def test_a_number_may_stand_for_a_log(read):
    body = tripod_at(f'<location z="1">{by_log("x")}</location>')
    np.testing.assert_array_equal(read(body, logs={"motor": 0.5}).position[1], [0.5, 0.1, 1])


def test_an_equation_makes_metres_of_the_log(read):
    moved = by_log("x", extract="last_value", eq="0.001*value+1")
    body = tripod_at(f'<location z="1">{moved}</location>')
    assert_positions(
        read(body, logs={"motor": slow_log([9, 500])}), [1.6, 0, 1], [1.5, 0.1, 1], [1.5, 0, 1.1]
    )


def test_several_logs_move_one_component(read):
    location = f'<location z="1">{by_log("x", "a")}{by_log("y", "b")}{by_log("rotz", "c")}</location>'
    instrument = read(tripod_at(location), logs={"a": 2.0, "b": 3.0, "c": 90.0, "d": math.nan})
    assert_positions(instrument, [2, 3.1, 1], [1.9, 3, 1], [2, 3, 1.1])


def test_a_parameter_of_a_component_moves_all_its_placements_and_that_of_a_location_wins(read):
    two = TRIPOD.replace('end="2"', 'end="5"')
    body = (
        f'{two}<component type="tripod" idlist="ids">{value(x=3)}'
        f'<location z="1"/><location z="2">{value(x=4)}</location></component>'
    )
    assert read(body).position[[1, 4]].tolist() == [[3, 0.1, 1], [4, 0.1, 2]]


def test_a_link_wins_over_both(read):
    body = tripod_at(f'<location z="1">{value(x=4, y=5)}</location>', value(x=3))
    link = f'<component-link name="arm">{value(x=6)}</component-link>'
    assert read(body + link).position[1].tolist() == [6, 5.1, 1]
    assert read(body + link + link.replace("6", "7")).position[1].tolist() == [7, 5.1, 1]


@pytest.mark.parametrize(
    ("link", "left", "right"),
    [
        ("tube", 5, 5),
        ("left/tube", 5, 0),
        ("right/tube", 0, 5),
        ("/right/tube/", 0, 5),
        ("bank/tube", 0, 0),
    ],
)
def test_a_link_names_a_component_or_a_path(read, link, left, right):
    body = """
        <type name="tube"><component type="pixel"><location z="1"/></component></type>
        <type name="bank"><component type="tube"><location/></component></type>
        <component type="bank" idlist="ids"><location name="left"/><location name="right"/></component>
        <idlist idname="ids" start="0" end="1"/>
        <type name="screen"/><component type="screen" name="bank"><location/></component>
        """
    links = f'<component-link name="{link}">{value(x=5, y=0, z=0)}</component-link>'
    assert read(body + links).position.tolist() == [[left, 0, 1], [right, 0, 1]]


def test_children_follow_their_parent_in_turn_and_shift(read):
    body = f"""
        <type name="tube"><component type="pixel"><location y="-0.5"/><location y="0.5"/></component></type>
        <type name="bank"><component type="tube"><location x="1"/><location x="2"/></component></type>
        <type name="vessel"><component type="bank"><location z="1"/></component></type>
        <component type="vessel" idlist="ids"><location>{by_log("z")}{value(rotz=90)}</location></component>
        <idlist idname="ids" start="0" end="3"/>
        """
    assert_positions(read(body, logs={"motor": 5.0}), [0.5, 1, 6], [-0.5, 1, 6], [0.5, 2, 6], [-0.5, 2, 6])


def test_a_single_pixel_is_moved(read):
    body = f"""
        <component type="pixel" idlist="ids"><location x="1"/><location x="2">{by_log("x")}</location></component>
        <idlist idname="ids" start="0" end="1"/>
        """
    assert read(body, logs={"motor": 7.0}).position.tolist() == [[1, 0, 0], [7, 0, 0]]


def test_a_panel_is_moved_with_its_pixels(read):
    body = f"""
        <type name="panel" is="RectangularDetector" xpixels="2" xstart="-0.5" xstep="1"
              ypixels="1" ystart="0.25" ystep="0"/>
        <component type="panel" idstart="4"><location z="1">{by_log("z")}{value(rotz=90)}</location></component>
        """
    assert_positions(read(body, logs={"motor": 20.0}), [-0.25, -0.5, 20], [-0.25, 0.5, 20])


def test_source_sample_and_monitors_are_moved(define):
    definition = define(
        '<component type="pixel" idlist="ids"><location x="1"/></component>'
        '<type name="m" is="monitor"/><component type="m" idlist="more">'
        f'<location z="-2">{by_log("z", "monitor")}</location></component>'
        '<idlist idname="ids"><id val="0"/></idlist><idlist idname="more"><id val="-1"/></idlist>'
    )
    xml = definition.xml.replace('<location z="-10"/>', f"<location>{by_log('z', 'source')}</location>")
    xml = xml.replace(
        'type="sample"><location/>', f'type="sample"><location>{by_log("y", "sample")}</location>'
    )
    instrument = read_instrument(
        type(definition)("TEST", xml), {"source": -8.0, "sample": 6.0, "monitor": -3.0}
    )
    assert instrument.source_position.tolist() == [0, 0, -8]
    assert instrument.sample_position.tolist() == [0, 6, 0]
    assert instrument.l1 == 10.0
    assert instrument.monitor_position.tolist() == [[0, 0, -3]]


def test_what_measures_nothing_is_not_looked_at(read, define):
    body = (
        tripod_at('<location z="1"/>')
        + '<type name="chopper"/><component type="chopper">'
        + f'<location>{by_log("z", "not there")}<parameter name="x"/></location></component>'
    )
    with pytest.raises(GeometryError, match="needs a <value> or a <logfile>"):
        read(body)
    body = body.replace('<parameter name="x"/>', "")
    assert len(read(body).pixel_id) == 3
    assert moving_logs(define(body)) == ()


def test_nor_is_an_assembly_that_measures_nothing(read):
    moved = by_log("z", "not there")
    body = f"""
        <type name="blade"/>
        <type name="chopper"><component type="blade"><location>{moved}</location></component></type>
        <component type="chopper"><location>{moved}</location></component>
        """
    assert len(read(tripod_at('<location z="1"/>') + body).pixel_id) == 3


def test_other_parameters_move_nothing(read):
    fitting = '<parameter name="x" type="fitting"><formula eq="1"/></parameter>'
    body = tripod_at(f'<location z="1">{fitting}{value(Efixed=3)}</location>')
    assert_positions(read(body), [0.1, 0, 1], [0, 0.1, 1], [0, 0, 1.1])


def test_a_component_looks_where_it_stood_before_it_moved(read):
    instrument = read(
        tripod_at(f'<location x="2">{value(x=0, y=3, z=0)}</location>'),
        defaults='<components-are-facing x="0" y="0" z="0"/>',
    )
    # At x = 2 its z points away from the origin: z to x, and x to -z.
    assert_positions(instrument, [0, 3, -0.1], [0, 3.1, 0], [0.1, 3, 0])


METRES = st.floats(-20, 20)
DEGREES = st.floats(-360, 360)


@given(st.tuples(METRES, METRES, METRES), st.tuples(DEGREES, DEGREES, DEGREES), st.booleans())
def test_a_log_moves_as_if_its_number_were_written(define, place, turn, alone):
    names = dict(zip(["x", "y", "z", "rotx", "roty", "rotz"], (*place, *turn), strict=True))
    moved = "".join(by_log(name, name) for name in names)
    x, y, z = place
    rx, ry, rz = turn
    written = (
        f'<location x="{x!r}" y="{y!r}" z="{z!r}" name="arm"><rot val="{rx!r}" axis-x="1" axis-z="0">'
        f'<rot val="{ry!r}" axis-y="1" axis-z="0"><rot val="{rz!r}"/></rot></rot></location>'
    )
    rest = """
        <type name="m" is="monitor"/><component type="m" idlist="m"><location z="-1"/></component>
        <idlist idname="m"><id val="-1"/></idlist><idlist idname="ids" start="0" end="11"/>
        <type name="tripod"><component type="pixel">
          <location x="0.1"/><location y="0.1"/><location r="0.1" t="30" p="20"/>
        </component></type>
        <type name="bank"><component type="tripod"><location x="3" rot="20"/><location y="4"/></component></type>
        """
    if alone:
        outer = '<component type="bank" idlist="ids">{}<location z="70"/></component>'
    else:
        outer = (
            '<type name="table"><component type="bank">{}<location x="5"/></component></type>'
            '<component type="table" idlist="ids"><location y="50"><rot val="30" axis-x="1"/></location></component>'
        )
    first = read_instrument(
        define(rest + outer.format(f'<location x="1" rot="5" name="arm">{moved}</location>')), names
    )
    second = read_instrument(define(rest + outer.format(written)))
    np.testing.assert_allclose(first.position, second.position, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(first.monitor_position, second.monitor_position)
    assert first.bank_names == second.bank_names
    np.testing.assert_array_equal(first.bank, second.bank)


@given(METRES, METRES)
def test_moves_within_moves(define, outer, inner):
    body = """
        <type name="tube"><component type="pixel"><location y="0.5"/></component></type>
        <type name="bank"><component type="tube"><location {} y="0" z="0">{}</location></component></type>
        <component type="bank" idlist="ids"><location {} y="70" rot="30">{}</location></component>
        <idlist idname="ids"><id val="0"/></idlist>
        """
    moved = body.format("", by_log("x", "inner") + value(y=0, z=0), "", by_log("x", "outer"))
    written = body.format(f'x="{inner!r}"', "", f'x="{outer!r}"', "")
    first = read_instrument(define(moved), {"inner": inner, "outer": outer})
    np.testing.assert_allclose(first.position, read_instrument(define(written)).position, rtol=0, atol=1e-12)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=20), st.integers(0, 25))
def test_values_of_logs_are_those_that_numpy_gives(define, values, n):
    log = {"motor": slow_log(values)}
    for extract, expected in {
        "mean": np.mean(values) if len(values) > 1 else values[-1],
        "minimum": np.min(values),
        "maximum": np.max(values),
        "median": np.median(values),
        f"position {n}": (values + values[-1:] * 26)[n],
    }.items():
        body = tripod_at(f'<location z="9">{by_log("x", extract=extract)}</location>')
        position = read_instrument(define(body), log).position
        assert position[1, 0] == pytest.approx(expected, abs=1e-12)


def test_a_place_in_a_shifted_parent_may_be_set_as_a_whole(read):
    assert read(inside(value(x=1, y=2, z=3))).position[1].tolist() == [1, 3.1, 3]
    assert_positions(read(inside(value(r_position=2))), [0.1, 1, 2], [0, 1.1, 2], [0, 1, 2.1])
    assert read(inside(value(rotz=180))).position[0] == pytest.approx([-0.1, 1, 0])


def test_the_logs_that_are_needed_are_named(define):
    definition = define(
        tripod_at(
            f"<location>{by_log('y', 'b')}{by_log('x', 'a', extract='last_value')}"
            '<parameter name="Efixed"><logfile id="energy"/></parameter></location>',
            by_log("z", "b"),
        )
        + f'<component-link name="arm">{by_log("rotz", "c")}</component-link>'
    )
    assert moving_logs(definition) == (LogUse("a", "last_value"), LogUse("b"), LogUse("c"))
    assert set(wanted_logs(definition)) == {"a", "b", "c", "energy"}
    instrument = read_instrument(definition, {"a": 1.0, "b": 2.0, "c": 90.0})
    assert_positions(instrument, [1, 2.1, 2], [0.9, 2, 2], [1, 2, 2.1])
