"""What is not an instrument definition, or would put a detector in the wrong place, is refused in one sentence."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.errors import GeometryError
from livered_core.geometry import read_instrument
from livered_core.model import InstrumentDefinition

PIXEL = '<component type="pixel" idlist="ids"><location x="1"/></component>'
ONE_ID = '<idlist idname="ids" start="0" end="0"/>'
SOURCE = '<component type="s"><location z="-1"/></component><type name="s" is="Source"/>'
SAMPLE = '<component type="p"><location/></component><type name="p" is="SamplePos"/>'
GRID = '<type name="w" is="GridDetector" xpixels="1" ypixels="1" zpixels="1"/>'
DETECTOR = f'<type name="pixel" is="detector"/>{PIXEL}{ONE_ID}'

BOMB = """<?xml version="1.0"?>
<!DOCTYPE instrument [
  <!ENTITY a "aaaaaaaaaa">
  <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
  <!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
]>
<instrument name="&c;"/>"""

DOCUMENTS = {
    "nothing": ("", "is not XML"),
    "no XML": ("GET / HTTP/1.1\r\n\r\n", "is not XML"),
    "cut short": ("<instrument><component", "is not XML"),
    "zero bytes": ("<instrument>\0</instrument>", "is not XML"),
    "half a character": ("<instrument name='\udc80'/>", "not a character of Unicode"),
    "entity bomb": (BOMB, "<!DOCTYPE"),
    "file from outside": (
        '<!DOCTYPE i [<!ENTITY x SYSTEM "file:///etc/hostname">]><instrument>&x;</instrument>',
        "<!DOCTYPE",
    ),
    "document type alone": ("<!DOCTYPE instrument><instrument/>", "<!DOCTYPE"),
    "other XML": ("<html><body/></html>", "not an instrument definition"),
    "empty instrument": ("<instrument/>", "no component that is the source"),
    "no component that is the source": (
        f"<instrument>{SAMPLE}{DETECTOR}</instrument>",
        "no component that is the source",
    ),
    "no sample": (f"<instrument>{SOURCE}{DETECTOR}</instrument>", "no component that is the sample"),
    "two sources": (
        f"<instrument>{SOURCE}{SAMPLE}{DETECTOR}<component type='s'><location/></component></instrument>",
        "2 components that are the source",
    ),
    "source at the sample": (
        f"<instrument>{SAMPLE}{SOURCE.replace('-1', '0')}{DETECTOR}</instrument>",
        "source where the sample is",
    ),
    "no pixels": (f"<instrument>{SOURCE}{SAMPLE}</instrument>", "no detector pixels"),
}

BODIES = {
    "id twice": (f'{PIXEL}{PIXEL.replace("ids", "more")}{ONE_ID}{ONE_ID.replace("ids", "more")}', "detector id 0"),
    "id of a monitor and a pixel": (
        f"{PIXEL}{ONE_ID}<type name='m' is='monitor'/><component type='m' idlist='more'><location/></component>"
        "<idlist idname='more' start='0'/>",
        "detector id 0",
    ),
    "no ids": ('<component type="pixel"><location x="1"/></component>', "names no idlist"),
    "too few ids": (PIXEL.replace("/></comp", "/><location/></comp") + ONE_ID, "more detectors"),
    "too many ids": (PIXEL + ONE_ID.replace('end="0"', 'end="4"'), "5 ids in the idlist 'ids' for 1 detectors"),
    "list unknown": (PIXEL, "'ids', which it does not have"),
    "list twice": (PIXEL + ONE_ID + ONE_ID, "two idlists"),
    "empty list": (PIXEL + '<idlist idname="ids"/>', "lists no ids"),
    "id without value": (PIXEL + '<idlist idname="ids"><id/></idlist>', "needs val"),
    "step of none": (PIXEL + '<idlist idname="ids" start="1" end="3" step="0"/>', "do not come to end"),
    "step beyond the end": (PIXEL + '<idlist idname="ids" start="1" end="4" step="2"/>', "do not come to end"),
    "step the wrong way": (PIXEL + '<idlist idname="ids" start="1" end="3" step="-1"/>', "do not come to end"),
    "ids without end": (PIXEL + '<idlist idname="ids" start="0" end="2147483647"/>', "more than 16777216 ids"),
    "ids too large": (PIXEL + '<idlist idname="ids" start="2147483648"/>', "not an integer of 32 bits"),
    "id in megabytes": (PIXEL + f'<idlist idname="ids" start="{"9" * 100_000}"/>', "not an integer"),
    "type unknown": ('<component type="nope"><location/></component>', "'nope', which it does not define"),
    "type twice": ('<type name="pixel" is="detector"/>', "two types"),
    "type in itself": (
        '<type name="a"><component type="a"><location/></component></type>'
        '<component type="a"><location/></component>',
        "contain itself",
    ),
    "component without location": ('<component type="pixel"/>', "without a <location>"),
    "component without type": ("<component><location/></component>", "needs the attribute type"),
    "letters for a number": (PIXEL.replace('"1"', '"one"') + ONE_ID, "not a number"),
    "no number": (PIXEL.replace('"1"', '"nan"') + ONE_ID, "not a number"),
    "number without bounds": (PIXEL.replace('"1"', '"1e300"') + ONE_ID, "not a number"),
    "pixel at the sample": (PIXEL.replace('"1"', '"0"') + ONE_ID, "pixel 0 where the sample is"),
    "no elements": (PIXEL.replace("location", "locations") + ONE_ID, "needs the attribute n-elements"),
    "elements of none": (PIXEL.replace("location", 'locations n-elements="0"') + ONE_ID, "must be positive"),
    "elements without end": (PIXEL.replace("location", 'locations n-elements="99999999"') + ONE_ID, "more than"),
    "end without start": (PIXEL.replace("location", 'locations n-elements="2" y-end="3"') + ONE_ID, "without y"),
    "rotation in locations": (
        '<component type="pixel" idlist="ids"><locations n-elements="1"><rot val="3"/></locations></component>',
        "no meaning",
    ),
    "panel without ids": (
        '<type name="w" is="RectangularDetector" xpixels="1" ypixels="1"/>'
        '<component type="w"><location z="1"/></component>',
        "idstart",
    ),
    "panel of no pixels": ('<type name="w" is="RectangularDetector" xpixels="0" ypixels="1"/>', "positive"),
    "panel without end": ('<type name="w" is="RectangularDetector" xpixels="9999999" ypixels="9999999"/>', "16777216"),
    "panel filled by z": (
        '<type name="w" is="RectangularDetector" xpixels="1" ypixels="1"/>'
        '<component type="w" idstart="1" idfillbyfirst="z"><location z="1"/></component>',
        "must be x or y",
    ),
    "panel without corners": ('<type name="w" is="structured_detector" xpixels="1" ypixels="1"/>', "0 corners"),
    "lists without end": (
        "".join(f'<idlist idname="l{i}" start="0" end="3999999"/>' for i in range(5)),
        "ids in its lists",
    ),
    "panels without end": (
        "".join(f'<type name="w{i}" is="RectangularDetector" xpixels="2000" ypixels="2000"/>' for i in range(5)),
        "pixels in its panels",
    ),
    "detector of another kind": ('<type name="w" is="SpiralDetector"/>', "not supported"),
    "grid without size": ('<type name="w" is="GridDetector"/>', "needs the attribute xpixels"),
    "grid of fewer layers than none": (GRID.replace('zpixels="1"', 'zpixels="-1"'), "zpixels must not be negative"),
    "grid of no rows": (GRID.replace('ypixels="1"', 'ypixels="0"'), "must be positive"),
    "grid without end": (GRID.replace('pixels="1"', 'pixels="300"'), "all pixels not more than 16777216"),
    "grid without ids": (f'{GRID}<component type="w"><location z="1"/></component>', "idstart"),
    "grid in no order": (f'{GRID}<component type="w" idstart="1"><location z="1"/></component>', "idfillorder"),
    "grid with an axis twice": (
        f'{GRID}<component type="w" idstart="1" idfillorder="xyx"><location z="1"/></component>',
        "in the order 'xyx': 3 axes need",
    ),
    "grid with an axis unknown": (
        f'{GRID}<component type="w" idstart="1" idfillorder="xyw"><location z="1"/></component>',
        "in the order 'xyw'",
    ),
    "panel in three directions": (
        '<type name="w" is="RectangularDetector" xpixels="1" ypixels="1"/>'
        '<component type="w" idstart="1" idfillorder="xyz"><location z="1"/></component>',
        "2 axes need",
    ),
    "grid with its ids twice": (
        f'{GRID}'
        '<component type="w" idstart="1" idfillorder="xyz"><location z="1"/><location z="2"/></component>',
        "detector id 1",
    ),
    "moved by a log": (
        '<component type="pixel" idlist="ids"><location x="1"><parameter name="x"><logfile id="arm"/></parameter>'
        "</location></component>" + ONE_ID,
        "moves <location",
    ),
}  # fmt: skip

DEFAULTS = {
    "feet": ('<length unit="foot"/>', "metres"),
    "grads": ('<angle unit="gon"/>', "degree or radian"),
    "two directions in one": ('<reference-frame><along-beam axis="y"/></reference-frame>', "both along y"),
    "direction unknown": ('<reference-frame><along-beam axis="w"/></reference-frame>', "x, y or z"),
    "neutronic": ("<indirect-neutronic-positions/>", "neutronic"),
}


def refusal(definition: InstrumentDefinition) -> str:
    with pytest.raises(GeometryError) as caught:
        read_instrument(definition)
    sentence = str(caught.value)
    assert sentence.startswith("The instrument definition of TEST ")
    assert sentence.isprintable() and sentence.endswith((".", "?"))
    assert len(sentence) < 400
    return sentence


@pytest.mark.parametrize("case", DOCUMENTS)
def test_documents(case):
    xml, expected = DOCUMENTS[case]
    assert expected in refusal(InstrumentDefinition("TEST", xml))


@pytest.mark.parametrize("case", BODIES)
def test_bodies(case, define):
    body, expected = BODIES[case]
    assert expected in refusal(define(body))


@pytest.mark.parametrize("case", DEFAULTS)
def test_defaults(case, define):
    defaults, expected = DEFAULTS[case]
    assert expected in refusal(define(PIXEL + ONE_ID, defaults))


def test_the_small_examples_are_right_without_their_faults(define):
    assert read_instrument(define(PIXEL + ONE_ID)).pixel_id.tolist() == [0]
    whole = f"<instrument>{SOURCE}{SAMPLE}{DETECTOR}</instrument>"
    instrument = read_instrument(InstrumentDefinition("TEST", whole))
    assert instrument.pixel_id.tolist() == [0]
    assert instrument.name == "TEST"


def test_types_that_multiply_end_in_time(define):
    ten = "<location/>" * 10
    types = "".join(
        f'<type name="t{i}"><component type="t{i + 1}">{ten}</component></type>' for i in range(12)
    )
    body = types + '<type name="t12"/><component type="t0"><location/></component>'
    start = time.perf_counter()
    assert "multiply" in refusal(define(body))
    assert time.perf_counter() - start < 10


def test_rotations_nested_by_the_thousand_do_not_overflow_the_stack(define):
    deep = '<rot val="90">' * 20_000 + "</rot>" * 20_000
    definition = define(
        f'<component type="pixel" idlist="ids"><location x="1">{deep}</location></component>{ONE_ID}'
    )
    assert read_instrument(definition).position.tolist() == [[1, 0, 0]]


def test_control_characters_and_megabytes_do_not_reach_the_screen(define):
    text = "&#x9b;[31m\u202e" + "x" * 100_000
    sentence = refusal(define(f'<component type="pixel" idlist="ids"><location x="{text}"/></component>'))
    assert "\x9b" not in sentence and "\u202e" not in sentence
    sentence = refusal(define(PIXEL.replace("ids", text)))
    assert "\x9b" not in sentence and "\u202e" not in sentence


def test_nor_do_those_in_the_name():
    with pytest.raises(GeometryError) as caught:
        read_instrument(InstrumentDefinition("\x1b[31m" + "x" * 100_000, ""))
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400


@given(st.text(max_size=200))
def test_any_text_is_refused_or_read(text):
    with pytest.raises(GeometryError):
        read_instrument(InstrumentDefinition("TEST", text))


@given(st.data())
def test_a_definition_with_a_hole_is_refused_or_read(define, data):
    xml = define(PIXEL + ONE_ID).xml
    start = data.draw(st.integers(0, len(xml)))
    end = data.draw(st.integers(start, len(xml)))
    try:
        read_instrument(InstrumentDefinition("TEST", xml[:start] + xml[end:]))
    except GeometryError as error:
        assert str(error).startswith("The instrument definition of TEST ")
