"""Each feature of the language on a few pixels, with positions worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.errors import GeometryError
from livered_core.geometry.rotation import about_axis, turning_z_to

# A bank whose three pixels stand 0.1 m along its own x, y and z.
TRIPOD = """
<type name="tripod"><component type="pixel">
  <location x="0.1"/><location y="0.1"/><location z="0.1"/>
</component></type>
"""


def ids(last: int) -> str:
    return f'<idlist idname="ids" start="0" end="{last}"/>'


def tripod_at(location: str) -> str:
    return f'{TRIPOD}<component type="tripod" idlist="ids">{location}</component>{ids(2)}'


def assert_positions(instrument, *expected):
    np.testing.assert_allclose(instrument.position, expected, rtol=0, atol=1e-12)


def test_nested_components_add_up(read):
    instrument = read(
        """
        <type name="tube"><component type="pixel"><location y="-0.5"/><location y="0.5"/></component></type>
        <type name="bank"><component type="tube"><location x="0.25"/><location x="0.75"/></component></type>
        <component type="bank" idlist="ids"><location z="2"/><location z="3" y="1"/></component>
        """
        + ids(7)
    )
    assert_positions(
        instrument,
        *([x, y + dy, z] for z, dy in ((2, 0), (3, 1)) for x in (0.25, 0.75) for y in (-0.5, 0.5)),
    )


def test_sample_and_source_may_stand_anywhere(read):
    instrument = read(
        '<component type="pixel" idlist="ids"><location x="1"/></component>' + ids(0),
    )
    assert instrument.l1 == 10.0
    np.testing.assert_array_equal(instrument.source_position, [0, 0, -10])
    np.testing.assert_array_equal(instrument.sample_position, [0, 0, 0])
    assert instrument.name == "TEST"


def test_rot_attribute_turns_about_z_by_default(read):
    instrument = read(tripod_at('<location z="2" rot="90"/>'))
    assert_positions(instrument, [0, 0.1, 2], [-0.1, 0, 2], [0, 0, 2.1])


def test_rot_attribute_about_an_axis_of_any_length(read):
    instrument = read(tripod_at('<location z="2" rot="90" axis-x="0" axis-y="7" axis-z="0"/>'))
    assert_positions(instrument, [0, 0, 1.9], [0, 0.1, 2], [0.1, 0, 2])


def test_an_axis_given_in_part_keeps_z(read):
    # axis-y alone: the axis is (0, 1, 1), as axis-z stays 1.
    instrument = read(tripod_at('<location z="2" rot="180" axis-y="1"/>'))
    assert_positions(instrument, [-0.1, 0, 2], [0, 0, 2.1], [0, 0.1, 2])


def test_nested_rotations_the_innermost_turns_first(read):
    instrument = read(
        tripod_at('<location z="2"><rot val="90"><rot val="90" axis-x="1" axis-z="0"/></rot></location>')
    )
    # About x: x to x, y to z, z to -y. Then about z: x to y, z to z, -y to x.
    assert_positions(instrument, [0, 0.1, 2], [0, 0, 2.1], [0.1, 0, 2])


def test_rot_attribute_is_outside_of_nested_rotations(read):
    instrument = read(tripod_at('<location z="2" rot="90"><rot val="90" axis-x="1" axis-z="0"/></location>'))
    assert_positions(instrument, [0, 0.1, 2], [0, 0, 2.1], [0.1, 0, 2])


def test_a_parent_turns_its_parts(read):
    instrument = read(
        TRIPOD + '<type name="arm"><component type="tripod">'
        '<location x="1" rot="90" axis-y="1" axis-z="0"/></component></type>'
        '<component type="arm" idlist="ids"><location z="2" rot="90"/></component>' + ids(2)
    )
    # The inner rotation: x to -z, z to x. The outer one: x to y, y to -x.
    assert_positions(instrument, [0, 1, 1.9], [-0.1, 1, 2], [0, 1.1, 2])


def test_translations_inside_rotations(read):
    instrument = read(
        tripod_at('<location z="2"><rot val="90"><trans x="1"><rot val="-90"/></trans></rot></location>')
    )
    assert_positions(instrument, [0.1, 1, 2], [0, 1.1, 2], [0, 1, 2.1])


def test_a_pixel_itself_may_have_translations(read):
    instrument = read(
        '<type name="tube"><component type="pixel">'
        '<location x="1"><rot val="90"><trans x="0.5"/></rot></location><location x="2"/></component></type>'
        '<component type="tube" idlist="ids"><location z="3"/></component>' + ids(1)
    )
    assert_positions(instrument, [1, 0.5, 3], [2, 0, 3])


@pytest.mark.parametrize("attributes", ['r="2" t="90" p="30"', 'R="2" theta="90" phi="30"'])
def test_spherical_locations(read, attributes):
    instrument = read(f'<component type="pixel" idlist="ids"><location {attributes}/></component>' + ids(0))
    assert_positions(instrument, [math.sqrt(3), 1, 0])


def test_spherical_two_theta(read):
    instrument = read(
        '<component type="pixel" idlist="ids"><location r="2" t="35" p="-70"/></component>' + ids(0)
    )
    assert instrument.two_theta[0] == pytest.approx(math.radians(35), abs=1e-14)
    assert instrument.l2[0] == pytest.approx(2.0, abs=1e-14)


def test_angles_in_radian(read):
    body = '<component type="pixel" idlist="ids"><location r="2" t="1.5" rot="9"/></component>' + ids(0)
    instrument = read(body, defaults='<angle unit="radian"/>')
    assert instrument.two_theta[0] == pytest.approx(1.5, abs=1e-14)


def test_spherical_offsets_are_differences_to_the_parent(read):
    instrument = read(
        """
        <type name="arm"><component type="pixel"><location t="10"/><location r="-1" t="20"/></component></type>
        <component type="arm" idlist="ids"><location r="3" t="30"/></component>
        """
        + ids(1),
        defaults='<offsets spherical="delta"/>',
    )
    np.testing.assert_allclose(np.degrees(instrument.two_theta), [40, 50], atol=1e-12)
    np.testing.assert_allclose(instrument.l2, [3, 2], atol=1e-12)


def test_spherical_offsets_count_from_each_placement(read):
    instrument = read(
        """
        <type name="arm"><component type="pixel"><location t="10"/></component></type>
        <component type="arm" idlist="ids"><location r="3" t="30"/><location r="4" t="50"/></component>
        """
        + ids(1),
        defaults='<offsets spherical="delta"/>',
    )
    np.testing.assert_allclose(np.degrees(instrument.two_theta), [40, 60], atol=1e-12)
    np.testing.assert_allclose(instrument.l2, [3, 4], atol=1e-12)


def test_less_than_a_micrometre_beside_an_axis_is_on_it(read):
    # As Mantid: sin(180 degrees) is not quite 0 in floating point, and neither is a ten-thousandth of a degree here.
    instrument = read(
        '<component type="pixel" idlist="ids"><location r="0.5" t="0.0001"/><location r="0.5" t="0.001"/>'
        "</component>" + ids(1)
    )
    assert instrument.position[0, 0] == 0.0
    assert instrument.position[1, 0] == pytest.approx(0.5 * math.sin(math.radians(0.001)), rel=1e-12)


def test_facing_turns_z_away_from_the_point(read):
    instrument = read(tripod_at('<location x="2"><facing x="0" y="0" z="0"/></location>'))
    assert_positions(instrument, [2, 0, -0.1], [2, 0.1, 0], [2.1, 0, 0])


def test_facing_after_a_turn_about_z(read):
    instrument = read(tripod_at('<location x="2"><facing rot="90" x="0"/></location>'))
    # The turn takes x to y and y to -x; then z is turned to x the short way, which takes x to -z.
    assert_positions(instrument, [2, 0.1, 0], [2, 0, 0.1], [2.1, 0, 0])


def test_facing_in_a_turned_parent_points_where_it_should(read):
    instrument = read(
        TRIPOD
        + '<type name="arm"><component type="tripod"><location z="2"><facing x="0" y="0" z="5"/></location>'
        '</component></type><component type="arm" idlist="ids"><location rot="90" axis-x="1" axis-z="0"/>'
        "</component>" + ids(2)
    )
    # The arm takes z to -y: the tripod stands at (0, -2, 0) and its z looks away from (0, 0, 5).
    away = np.array([0, -2, -5]) / math.sqrt(29)
    np.testing.assert_allclose(instrument.position[2], np.array([0, -2, 0]) + 0.1 * away, atol=1e-12)


def test_facing_backwards_is_half_a_turn_about_y(read):
    instrument = read(tripod_at('<location z="-2"><facing x="0"/></location>'))
    assert_positions(instrument, [-0.1, 0, -2], [0, 0.1, -2], [0, 0, -2.1])


def test_default_facing_and_its_exception(read):
    facing = '<components-are-facing x="0" y="0" z="0"/>'
    assert_positions(
        read(tripod_at('<location x="2"/>'), defaults=facing), [2, 0, -0.1], [2, 0.1, 0], [2.1, 0, 0]
    )
    assert_positions(
        read(tripod_at('<location x="2"><facing val="none"/></location>'), defaults=facing),
        [2.1, 0, 0],
        [2, 0.1, 0],
        [2, 0, 0.1],
    )


def test_locations_in_equal_steps(read):
    instrument = read(
        '<component type="pixel" idlist="ids"><locations n-elements="3" x="1" x-end="2" z="4"/>'
        '<location y="7"/></component>' + ids(3)
    )
    assert_positions(instrument, [1, 0, 4], [1.5, 0, 4], [2, 0, 4], [0, 7, 0])


def test_locations_in_equal_angles_and_turns(read):
    instrument = read(
        '<type name="arm"><component type="pixel"><location x="0.1"/></component></type>'
        '<component type="arm" idlist="ids">'
        '<locations n-elements="2" r="2" t="90" t-end="0" rot="0" rot-end="90"/></component>' + ids(1)
    )
    assert_positions(instrument, [2.1, 0, 0], [0, 0.1, 2])


def test_a_single_one_of_locations_stands_at_the_start(read):
    body = '<component type="pixel" idlist="ids"><locations n-elements="1" x="1" x-end="2"/></component>'
    assert_positions(read(body + ids(0)), [1, 0, 0])


def test_pixels_are_ordered_by_id(read):
    instrument = read(
        '<component type="pixel" idlist="ids"><location x="1"/><location x="2"/><location x="3"/></component>'
        '<idlist idname="ids"><id val="9"/><id start="8" end="2" step="-6"/></idlist>'
    )
    np.testing.assert_array_equal(instrument.pixel_id, [2, 8, 9])
    assert_positions(instrument, [3, 0, 0], [2, 0, 0], [1, 0, 0])


def test_the_innermost_list_of_ids_holds(read):
    instrument = read(
        """
        <type name="pair"><component type="pixel" idlist="inner"><location x="1"/><location x="2"/></component></type>
        <component type="pair" idlist="outer"><location/></component>
        <idlist idname="outer" start="10" end="11"/><idlist idname="inner" start="20" end="21"/>
        """
    )
    np.testing.assert_array_equal(instrument.pixel_id, [20, 21])


@pytest.mark.parametrize(
    "component",
    [
        '<type name="mon" is="Monitor"/><component type="mon" idlist="m"><location z="-1"/></component>',
        '<type name="mon" is="monitor"/><component type="mon" idlist="m"><location z="-1"/></component>',
        '<component type="pixel" idlist="m" mark-as="monitor"><location z="-1"/></component>',
        '<component type="pixel" idlist="m"><location z="-1" mark-as="monitor"/></component>',
    ],
)
def test_monitors_are_not_pixels(read, component):
    instrument = read(
        component
        + '<component type="pixel" idlist="ids"><location x="1"/></component>'
        + ids(0)
        + '<idlist idname="m"><id val="-3"/></idlist>'
    )
    np.testing.assert_array_equal(instrument.monitor_id, [-3])
    np.testing.assert_array_equal(instrument.monitor_position, [[0, 0, -1]])
    np.testing.assert_array_equal(instrument.pixel_id, [0])


def test_excluded_parts_take_no_id(read):
    instrument = read(
        """
        <type name="row"><component type="pixel">
          <location name="a" x="1"/><location name="b" x="2"/><location name="c" x="3"/>
        </component></type>
        <component type="row" idlist="ids"><location><exclude sub-part="b"/></location></component>
        """
        + ids(1)
    )
    assert_positions(instrument, [1, 0, 0], [3, 0, 0])


def test_what_detects_nothing_takes_no_id(read):
    instrument = read(
        '<type name="chopper" is="ChopperPos"/><component type="chopper"><location z="-5"/></component>'
        '<type name="shield"/><component type="shield"><location x="1"/></component>'
        '<component type="pixel" idlist="ids"><location x="1"/></component>' + ids(0)
    )
    np.testing.assert_array_equal(instrument.pixel_id, [0])


def test_another_reference_frame_is_turned_to_the_models(read):
    frame = '<reference-frame><along-beam axis="x"/><pointing-up axis="z"/><handedness val="right"/></reference-frame>'
    instrument = read(
        '<component type="pixel" idlist="ids">'
        '<location x="1"/><location z="1"/><location y="1"/></component>' + ids(2),
        defaults=frame,
    )
    # Beam to z, upwards to y, and what is left to x: upwards cross beam, the frame's y.
    assert_positions(instrument, [0, 0, 1], [0, 1, 0], [1, 0, 0])


def test_a_left_handed_reference_frame_is_mirrored(read):
    frame = '<reference-frame><along-beam axis="z"/><pointing-up axis="y"/><handedness val="left"/></reference-frame>'
    instrument = read(
        '<component type="pixel" idlist="ids"><location x="1" y="2" z="3"/></component>' + ids(0),
        defaults=frame,
    )
    assert_positions(instrument, [-1, 2, 3])


def test_banks_are_the_named_components_around_tubes(read):
    instrument = read(
        """
        <type name="tube"><component type="pixel"><location name="p1" x="1"/></component></type>
        <type name="pack"><component type="tube"><location name="t1"/><location name="t2" y="1"/></component></type>
        <type name="west"><component type="pack"><location name="bank1" z="1"/><location name="bank2" z="2"/></component></type>
        <type name="pair"><component type="tube"><location name="t1" z="8"/></component></type>
        <component type="west" idlist="a"><location/></component>
        <component type="west" idlist="b" name="far"><location z="5"/></component>
        <component type="pair" idlist="c"><location/></component>
        <component type="tube" idlist="d"><location name="lone" z="20"/></component>
        <component type="pixel" idlist="e"><location name="p9" z="30"/></component>
        <idlist idname="b" start="4" end="7"/><idlist idname="a" start="3" end="0" step="-1"/>
        <idlist idname="c" start="8" end="8"/><idlist idname="d" start="9" end="9"/>
        <idlist idname="e" start="10" end="10"/>
        """
    )
    names = [instrument.bank_names[i] for i in instrument.bank]
    assert names == [
        *["bank2"] * 2, *["bank1"] * 2, *["far/bank1"] * 2, *["far/bank2"] * 2, "pair", "lone", "pixel",
    ]  # fmt: skip


def test_arrays_are_read_only(read):
    instrument = read('<component type="pixel" idlist="ids"><location x="1"/></component>' + ids(0))
    for name in (
        "pixel_id",
        "position",
        "bank",
        "source_position",
        "sample_position",
        "monitor_id",
        "monitor_position",
    ):
        assert not getattr(instrument, name).flags.writeable, name
    assert instrument.pixel_id.dtype == instrument.bank.dtype == instrument.monitor_id.dtype == np.int32


def test_angles_of_a_facing_or_rotation_must_have_an_axis(read):
    with pytest.raises(GeometryError, match="no length"):
        read(tripod_at('<location rot="3" axis-z="0"/>'))


angles = st.floats(-7, 7)
components = st.floats(-1, 1).filter(lambda x: abs(x) > 1e-3)
axes = st.tuples(components, components, components).map(np.array)


@given(angles, angles, axes)
def test_rotations_about_one_axis_add_up(a, b, axis):
    np.testing.assert_allclose(
        about_axis(a, axis) @ about_axis(b, axis), about_axis(a + b, 3 * axis), atol=1e-13
    )


@given(angles, axes)
def test_a_rotation_keeps_lengths_handedness_and_its_axis(angle, axis):
    matrix = about_axis(angle, axis)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-14)
    assert np.linalg.det(matrix) == pytest.approx(1.0, abs=1e-13)
    np.testing.assert_allclose(matrix @ axis, axis, atol=1e-14)


@given(st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 1e-6))
def test_z_is_turned_into_any_direction(direction):
    unit = np.array(direction) / np.linalg.norm(direction)
    np.testing.assert_allclose(turning_z_to(np.array(direction)) @ [0, 0, 1], unit, atol=1e-12)


@given(st.lists(st.tuples(st.floats(-360, 360), st.sampled_from("xyz")), min_size=1, max_size=4))
def test_nested_rotations_in_a_document_are_products_of_matrices(read, turns):
    text, matrix = "", np.eye(3)
    for degrees, axis in turns:
        flags = {name: float(name == axis) for name in "xyz"}
        attributes = " ".join(f'axis-{name}="{value}"' for name, value in flags.items())
        text += f'<rot val="{degrees!r}" {attributes}>'
        matrix = matrix @ about_axis(math.radians(degrees), np.array(list(flags.values())))
    body = tripod_at(f'<location z="2">{text}{"</rot>" * len(turns)}</location>')
    instrument = read(body)
    np.testing.assert_allclose(instrument.position, [0, 0, 2] + 0.1 * matrix.T, atol=1e-12)
