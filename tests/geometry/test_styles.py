"""Small instruments in the styles of real ones, with positions worked out by hand; and real ones, where there are."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from livered_core.errors import GeometryError
from livered_core.geometry import difc, moving_logs, read_instrument
from livered_core.model import InstrumentDefinition, SlowLog

HALF = 0.5  # cosine of 60 degrees
ROOT = np.sqrt(3) / 2  # its sine


def places(instrument) -> dict[int, np.ndarray]:
    return dict(zip(instrument.pixel_id.tolist(), instrument.position, strict=True))


def assert_places(instrument, expected):
    place = places(instrument)
    for pixel, position in expected.items():
        np.testing.assert_allclose(place[pixel], position, rtol=0, atol=1e-12, err_msg=f"pixel {pixel}")


def test_square_cameras_around_a_crystal(read):
    """Rectangular panels in spherical places, turned three times, with gaps in their ids."""
    camera = 'idfillbyfirst="y" idstepbyrow="256"'
    instrument = read(
        f"""
        <type name="panel" is="rectangular_detector" type="pixel"
              xpixels="4" xstart="-0.03" xstep="0.02" ypixels="8" ystart="-0.07" ystep="0.02"/>
        <component type="panel" idstart="65536" {camera}>
          <location r="0.5" t="90" p="0" name="camera1" rot="90" axis-x="0" axis-y="1" axis-z="0">
            <rot val="30"><rot val="180" axis-x="0" axis-y="1" axis-z="0"/></rot>
          </location>
        </component>
        <component type="panel" idstart="131072" {camera}>
          <location r="0.4" t="60" p="180" name="camera2"/>
        </component>
        """
    )
    assert instrument.bank_names == ("camera1", "camera2")
    assert len(instrument.pixel_id) == 64 and instrument.pixel_id[32] == 131072
    # Its own y turns x to -x, then z takes (x, y) by 30 degrees, then y takes x to -z: (0, y', -x').
    expected = {}
    for i, j in ((0, 0), (1, 0), (0, 7), (3, 7), (2, 4)):
        x, y = -(-0.03 + 0.02 * i), -0.07 + 0.02 * j
        expected[65536 + 256 * i + j] = [0.5, HALF * x + ROOT * y, -(ROOT * x - HALF * y)]
        expected[131072 + 256 * i + j] = [-0.4 * ROOT - 0.03 + 0.02 * i, y, 0.4 * HALF]
    assert_places(instrument, expected)


def test_tubes_in_packs_in_rows(read):
    """Pixels in tubes in packs of eight, which stand on a circle and are turned to the sample."""
    instrument = read(
        """
        <type name="tube"><component type="pixel">
          <locations n-elements="128" y="-0.6" y-end="0.67" name="pixel"/></component></type>
        <type name="eightpack"><component type="tube">
          <locations n-elements="8" x="-0.0875" x-end="0.0875" name="tube" name-count-start="1"/></component></type>
        <type name="row">
          <component type="eightpack" name="bank1">
            <location x="0.0" z="5.0"/></component>
          <component type="eightpack" name="bank2">
            <location x="4.330127018922193" z="2.5"><rot val="60" axis-x="0" axis-y="1" axis-z="0"/></location></component>
        </type>
        <component type="row" name="B row" idlist="B row"><location/></component>
        <idlist idname="B row"><id start="1024" end="2047"/><id start="5120" end="6143"/></idlist>
        """
    )
    assert instrument.bank_names == ("bank1", "bank2")
    assert np.bincount(instrument.bank).tolist() == [1024, 1024]
    # A pixel is 0.01 m high and a tube 0.025 m wide; the second pack's x points to (1/2, 0, -sqrt(3)/2).
    expected = {}
    for tube, pixel in ((0, 0), (0, 127), (3, 64), (7, 127)):
        across, y = -0.0875 + 0.025 * tube, -0.6 + 0.01 * pixel
        expected[1024 + 128 * tube + pixel] = [across, y, 5.0]
        expected[5120 + 128 * tube + pixel] = [5.0 * ROOT + HALF * across, y, 2.5 - ROOT * across]
    assert_places(instrument, expected)


def test_banks_of_single_pixels_for_powder(read):
    """Banks of pixels whose places are written out, and monitors in the beam: L2, two-theta, DIFC."""
    instrument = read(
        """
        <type name="bank"><component type="pixel">
          <location x="1.5" y="0" z="2" name="A"/><location x="3" y="4" z="0" name="B"/>
          <location x="0" y="0.6" z="-0.8" name="C"/>
        </component></type>
        <component type="bank" idlist="powder" name="bank10"><location/></component>
        <type name="beam monitor" is="monitor"/>
        <component type="beam monitor" idlist="monitors"><location z="-1.5"/><location z="2" name="last"/></component>
        <idlist idname="powder"><id val="17"/><id start="9" end="5" step="-4"/></idlist>
        <idlist idname="monitors"><id start="-1" end="-2" step="-1"/></idlist>
        """
    )
    assert instrument.pixel_id.tolist() == [5, 9, 17]
    np.testing.assert_allclose(instrument.l2, [1.0, 5.0, 2.5], rtol=1e-14)
    np.testing.assert_allclose(np.cos(instrument.two_theta), [-0.8, 0.0, 0.8], atol=1e-14)
    # 252.778 us per metre and Angstrom (m_n / h), times 2 sin(theta), with 1 - cos = 2 sin^2(theta).
    sine = np.sqrt((1 - np.array([-0.8, 0.0, 0.8])) / 2)
    np.testing.assert_allclose(difc(instrument), 252.778 * (10 + instrument.l2) * 2 * sine, rtol=1e-5)
    assert instrument.monitor_id.tolist() == [-1, -2]
    assert instrument.monitor_position.tolist() == [[0, 0, -1.5], [0, 0, 2]]


def test_modules_in_rings_that_face_the_sample(read):
    """Spherical differences, a turn about the module's own z, and a face towards the sample."""
    instrument = read(
        """
        <type name="module"><component type="pixel">
          <location x="0.1" y="0.02"/><location x="-0.1" y="0.03"/></component></type>
        <type name="ring"><component type="module">
          <location r="0.6" t="90" p="90" name="up"><facing x="0" y="0" z="0"/></location>
          <location r="0.6" t="90" p="90" name="turned" rot="90"><facing x="0" y="0" z="0"/></location>
          <location r="0.6" t="90" p="0" name="across"/>
        </component></type>
        <component type="ring" name="90 degrees" idlist="ids"><location r="0" t="0" p="0"><facing val="none"/></location></component>
        <idlist idname="ids" start="1" end="6"/>
        """,
        '<offsets spherical="delta"/><components-are-facing x="0" y="0" z="0"/>',
    )
    assert_places(
        instrument,
        {
            # z to y is a quarter of a turn that leaves x and takes y to -z; with a turn before it x goes to -z, y to -x.
            1: [0.1, 0.6, -0.02],
            2: [-0.1, 0.6, -0.03],
            3: [-0.02, 0.6, -0.1],
            4: [-0.03, 0.6, 0.1],
            # z to x leaves y and takes x to -z.
            5: [0.6, 0.02, -0.1],
            6: [0.6, 0.03, 0.1],
        },
    )
    assert instrument.bank_names == ("90 degrees",)


def test_a_bank_of_wedges(read):
    """A structured panel, whose pixels widen with the radius, in a frame of its own."""
    corners = "".join(f'<vertex x="{x * (1 + y)}" y="{y}"/>' for y in (0, 1, 2) for x in (-1, 0, 1))
    instrument = read(
        f"""
        <type name="fan" is="StructuredDetector" type="pixel" xpixels="2" ypixels="2">{corners}</type>
        <component type="fan" idstart="100" idfillbyfirst="x" idstepbyrow="2">
          <location z="2" name="west"><rot val="90" axis-x="0" axis-y="1" axis-z="0"/></location></component>
        """
    )
    # Rows 0 to 1 and 1 to 2, of widths 1 and 2, and 2 and 3: middles at -1 + 3/4, 3/4 and at -2 + 5/4, 5/4.
    # The quarter of a turn about y takes x to -z.
    assert_places(
        instrument,
        {100: [0, 0.5, 2 + 0.25], 101: [0, 0.5, 2 - 0.75], 102: [0, 1.5, 2 + 0.75], 103: [0, 1.5, 2 - 1.25]},
    )


def parameters(**settings: str) -> str:
    return "".join(
        f'<parameter name="{name.replace("_", "-")}">{source}</parameter>'
        for name, source in settings.items()
    )


def test_a_vessel_on_an_arm(define):
    """A spectrometer's tank turns about the sample by a log in degrees, and the source follows another in mm."""
    arm = '<logfile id="s2" eq="0.0+value"/>'
    tank = parameters(
        r_position='<value val="0"/>', t_position=arm, p_position='<value val="0"/>',
        rotx='<value val="0"/>', roty=arm, rotz='<value val="0"/>',
    )  # fmt: skip
    definition = define(
        f"""
        <type name="tube"><component type="pixel"><location y="-0.5"/><location y="0.5"/></component></type>
        <type name="bank"><component type="tube"><location x="-0.1" z="4"/><location x="0.1" z="4"/></component></type>
        <type name="tank"><component type="bank" name="bank1"><location/></component></type>
        <component type="tank" idlist="tank"><location>{tank}</location></component>
        <idlist idname="tank" start="0" end="3"/>
        """
    )
    moved = parameters(z='<logfile id="msd" eq="-0.001*value-38.980"/>')
    xml = definition.xml.replace('<location z="-10"/>', f'<location z="-38.98">{moved}</location>')
    instrument = read_instrument(InstrumentDefinition("TEST", xml), {"s2": 60.0, "msd": 1800.0})
    assert instrument.l1 == pytest.approx(40.78, abs=1e-12)
    expected = {
        2 * tube + pixel: [4 * ROOT + HALF * x, y, 4 * HALF - ROOT * x]
        for tube, x in enumerate((-0.1, 0.1))
        for pixel, y in enumerate((-0.5, 0.5))
    }
    assert_places(instrument, expected)
    straight = read_instrument(InstrumentDefinition("TEST", xml), {"s2": 0.0, "msd": 1800.0})
    assert_places(straight, {0: [-0.1, -0.5, 4], 3: [0.1, 0.5, 4]})
    assert instrument.l2 == pytest.approx(straight.l2, abs=1e-12)


def test_a_small_angle_camera_on_rails(define):
    """A panel whose distance and shift are logs in mm, and whose wing is turned by an angle and its sine."""
    definition = define(
        f"""
        <type name="panel" is="RectangularDetector" type="pixel" xpixels="3" xstart="-0.005" xstep="0.005"
              ypixels="2" ystart="-0.0025" ystep="0.005"/>
        <component type="panel" idstart="1" idfillbyfirst="x" idstepbyrow="3" name="rear">
          <location>{parameters(
              x='<logfile id="shift" eq="0.001*value-0.18" extract-single-value-as="last_value"/>',
              z='<logfile id="distance" eq="(value+201.0)/1000." extract-single-value-as="mean"/>')}</location>
        </component>
        <component type="panel" idstart="101" idfillbyfirst="x" idstepbyrow="3" name="wing">
          <location z="2">{parameters(
              y='<logfile id="tilt" eq="2.5*sin(value*0.0174532925199433)"/>',
              rotx='<logfile id="tilt" eq="-value"/>')}</location>
        </component>
        """
    )  # fmt: skip
    seconds = np.array([0, 2, 4]) * 10**9
    logs = {
        "shift": SlowLog("shift", "", "mm", seconds, np.array([7.0, 8.0, 190.0])),
        "distance": SlowLog("distance", "", "mm", seconds, np.array([11698.0, 11798.0, 11901.0])),
        "tilt": 30.0,
        "temperature": 280.0,
    }
    instrument = read_instrument(definition, logs)
    # The mean distance is 11799 mm, so that z is 12 m, and x is 10 mm; the wing is at 2.5 / 2 and turned by -30 degrees.
    assert_places(
        instrument,
        {
            1: [0.005, -0.0025, 12.0],
            3: [0.015, -0.0025, 12.0],
            5: [0.010, 0.0025, 12.0],
            101: [-0.005, 1.25 - 0.0025 * ROOT, 2 + 0.0025 * HALF],
            106: [0.005, 1.25 + 0.0025 * ROOT, 2 - 0.0025 * HALF],
        },
    )
    assert np.tan(instrument.two_theta[4]) == pytest.approx(np.hypot(0.01, 0.0025) / 12, rel=1e-9)
    assert {use.name: use.extract for use in moving_logs(definition)} == {
        "shift": "last_value",
        "distance": "mean",
        "tilt": "mean",
    }


def test_real_definitions_are_read_or_refused_in_a_sentence():
    """All definitions in a folder (and its folders) that the environment variable LIVERED_IDF_FOLDER names.

    They may be Mantid's own, which are not here. Each is read, or refused in one sentence, within 5 s of computing,
    with the value 1 for every log that moves something.
    """
    folder = os.environ.get("LIVERED_IDF_FOLDER")
    if not folder:
        pytest.skip("LIVERED_IDF_FOLDER does not name a folder of instrument definitions")
    paths = sorted(Path(folder).rglob("*_Definition*.xml"))
    assert paths, f"{folder} has no files *_Definition*.xml"
    read = 0
    for path in paths:
        definition = InstrumentDefinition(path.name.partition("_")[0], path.read_text(errors="replace"))
        start = time.process_time()
        try:
            instrument = read_instrument(definition, {use.name: 1.0 for use in moving_logs(definition)})
        except GeometryError as error:
            sentence = str(error)
            assert sentence.isprintable() and sentence.endswith(".") and len(sentence) < 500, path.name
            assert sentence.startswith(f"The instrument definition of {definition.name} "), path.name
        else:
            read += 1
            assert np.isfinite(instrument.position).all() and instrument.l2.min() > 0, path.name
            assert np.all(np.diff(instrument.pixel_id) > 0), path.name
            assert instrument.bank.max() < len(instrument.bank_names) == len(set(instrument.bank_names)), (
                path.name
            )
        assert time.process_time() - start < 5.0, path.name
    assert read > len(paths) // 2
