"""Indirect instruments, where neutronic positions count, and detectors that stand at the sample."""

from __future__ import annotations

import numpy as np
import pytest

from livered_core.errors import GeometryError

INDIRECT = "<indirect-neutronic-positions/>"


def assert_positions(instrument, *expected):
    np.testing.assert_allclose(instrument.position, expected, rtol=0, atol=1e-12)


def pixels(locations: str, last: int) -> str:
    return f'<component type="pixel" idlist="ids">{locations}</component><idlist idname="ids" start="0" end="{last}"/>'


ANALYSED = pixels('<location x="1"><neutronic z="2"/></location><location x="3"><neutronic r="2" t="90" p="90"/></location>', 1)  # fmt: skip


def test_detectors_stand_where_the_neutrons_seem_to_be_detected(read):
    assert_positions(read(ANALYSED, INDIRECT), [0, 0, 2], [0, 2, 0])


def test_elsewhere_they_stand_where_they_are(read):
    assert_positions(read(ANALYSED), [1, 0, 0], [3, 0, 0])


def test_detectors_without_a_neutronic_position_are_left_out_with_their_ids(read):
    mixed = pixels('<location x="1"/><location x="2"><neutronic z="5"/></location><location x="3"/>', 2)
    instrument = read(mixed, INDIRECT)
    assert instrument.pixel_id.tolist() == [1]
    assert_positions(instrument, [0, 0, 5])


def test_monitors_need_none(read):
    monitor = (
        '<type name="m" is="monitor"/><component type="m" idlist="m">'
        '<location z="-1"/><location z="-2"><neutronic z="-3"/></location></component>'
        '<idlist idname="m"><id val="8"/><id val="9"/></idlist>'
    )
    instrument = read(ANALYSED + monitor, INDIRECT)
    assert instrument.monitor_id.tolist() == [8, 9]
    assert instrument.monitor_position.tolist() == [[0, 0, -1], [0, 0, -3]]


def test_positions_are_relative_to_the_parent_which_may_have_one_too(read):
    body = """
        <type name="tube"><component type="pixel"><location y="9"><neutronic x="0.5"/></location></component></type>
        <component type="tube" idlist="ids">
          <location x="1"><neutronic z="2"/></location>
          <location x="1"><neutronic z="3" rot="90"/></location>
          <location x="1" rot="90"><neutronic z="4"><rot val="90"/></neutronic></location>
          <location x="1"/>
        </component><idlist idname="ids" start="0" end="3"/>
        """
    assert_positions(read(body, INDIRECT), [0.5, 0, 2], [0, 0.5, 3], [-0.5, 0, 4], [1.5, 0, 0])


def test_a_parameter_wins_over_a_neutronic_position(read):
    body = pixels(
        '<location x="1"><neutronic z="2"/><parameter name="z"><value val="4"/></parameter></location>', 0
    )
    assert_positions(read(body, INDIRECT), [0, 0, 4])


@pytest.mark.parametrize(
    ("location", "defaults", "expected"),
    [
        ('<location x="1"/>', INDIRECT, "no detector pixels with a neutronic position"),
        (
            '<location x="1"><neutronic r="2"/></location>',
            INDIRECT + '<offsets spherical="delta"/>',
            "spherical coordinates that are differences",
        ),
        (
            '<location x="1"><neutronic><trans x="1"/></neutronic></location>',
            "",
            "translations or parameters",
        ),
        (
            '<location x="1"><neutronic><parameter name="x"><value val="1"/></parameter></neutronic></location>',
            "",
            "has no meaning there",
        ),
        ('<location x="1"><neutronic><neutronic/></neutronic></location>', "", "has no meaning"),
        ('<location x="1"><neutronic x="far"/></location>', "", "not a number"),
        ('<location x="1"><neutronic/></location>', INDIRECT, "pixel 0 where the sample is"),
        ('<locations n-elements="1" x="1"><neutronic z="1"/></locations>', INDIRECT, "has no meaning"),
    ],
)
def test_refused(read, location, defaults, expected):
    with pytest.raises(GeometryError) as caught:
        read(pixels(location, 0), defaults)
    assert expected in str(caught.value)
    assert str(caught.value).startswith("The instrument definition of TEST ") and str(caught.value).endswith(
        "."
    )


SPARE = """
<type name="spare"><component type="pixel"><location/><location/></component></type>
<component type="spare" idlist="spares" name="not connected"><location/></component>
<idlist idname="spares" start="100" end="101"/>
"""


def test_components_whose_detectors_all_stand_at_the_sample_are_left_out(read):
    instrument = read(SPARE + pixels('<location x="1"/>', 0))
    assert instrument.pixel_id.tolist() == [0]
    assert instrument.bank.tolist() == [0]
    assert instrument.bank_names == ("pixel",)


def test_a_detector_at_the_sample_in_other_company_is_refused(read):
    with pytest.raises(GeometryError, match="puts the pixel 1 where the sample is"):
        read(SPARE + pixels('<location x="1"/><location/>', 1))


def test_nothing_but_spare_channels_is_refused(read):
    with pytest.raises(GeometryError, match="puts the pixel 100 where the sample is"):
        read(SPARE)


def test_spare_channels_are_those_at_the_sample_wherever_it_is(read, define):
    body = SPARE.replace('name="not connected"><location/>', 'name="not connected"><location z="1"/>')
    body += pixels('<location x="1"/>', 0)
    assert read(body).pixel_id.tolist() == [0, 100, 101]
