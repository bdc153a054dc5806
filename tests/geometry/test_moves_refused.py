"""Parameters and logs that say no place are refused in one sentence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geometry_support import by_log, inside, slow_log, tripod_at, value
from livered_core.errors import GeometryError
from livered_core.geometry import moving_logs, read_instrument


def refusal(definition, logs=None) -> str:
    with pytest.raises(GeometryError) as caught:
        read_instrument(definition, logs)
    sentence = str(caught.value)
    assert sentence.startswith("The instrument definition of TEST ")
    assert sentence.isprintable() and sentence.endswith(".") and len(sentence) < 400
    return sentence


MOVED = tripod_at(f'<location z="1">{by_log("x")}</location>')

BROKEN_LOGS = {
    "not there": ({}, "by the log 'motor', of which there is no value: give the log"),
    "another": ({"Motor": 1.0}, "of which there is no value"),
    "empty": ({"motor": slow_log(np.array([], np.float64))}, "'motor', which is empty"),
    "of texts": ({"motor": slow_log(np.array(["in", "out"], object))}, "holds no numbers"),
    "not a number": ({"motor": math.nan}, "whose value nan makes no sense"),
    "without bounds": ({"motor": math.inf}, "whose value inf makes no sense"),
    "beyond all instruments": ({"motor": 1e10}, "makes no sense"),
    "with one that is not a number": ({"motor": slow_log([1.0, math.nan, 1.0])}, "gives no finite number"),
}


@pytest.mark.parametrize("case", BROKEN_LOGS)
def test_a_log_that_says_no_place_is_refused(define, case):
    logs, expected = BROKEN_LOGS[case]
    assert expected in refusal(define(MOVED), logs)


def test_without_logs_a_definition_that_moves_is_refused(define):
    assert "give the log, or its value" in refusal(define(MOVED))
    assert "give the log, or its value" in refusal(define(MOVED), {})


BROKEN = {
    "no value": (tripod_at('<location><parameter name="x"/></location>'), "needs a <value> or a <logfile>"),
    "letters": (tripod_at(f"<location>{value(x='far')}</location>"), "not a number"),
    "nan": (tripod_at(f"<location>{value(rotx='nan')}</location>"), "not a number"),
    "value without val": (
        tripod_at('<location><parameter name="x"><value/></parameter></location>'),
        "needs the attribute val",
    ),
    "log without name": (
        tripod_at('<location><parameter name="x"><logfile/></parameter></location>'),
        "needs the attribute id",
    ),
    "what of the log": (
        tripod_at(f"<location>{by_log('x', extract='mode')}</location>"),
        "takes 'mode' of the log 'motor'",
    ),
    "position of none": (
        tripod_at(f"<location>{by_log('x', extract='position -1')}</location>"),
        "takes 'position -1'",
    ),
    "equation": (
        tripod_at(f"<location>{by_log('x', eq='exit(value)')}</location>"),
        "the equation 'exit(value)', which cannot be understood",
    ),
    "equation without end": (
        tripod_at(f"<location>{by_log('x', eq='1/(value-value)')}</location>"),
        "gives no number",
    ),
    "stretched": (tripod_at(f"<location>{value(scalex=2)}</location>"), "stretches <location>"),
    "a part of a place in a shifted parent": (inside(value(x=1)), "set all three"),
    "two parts of it": (inside(value(x=1, y=2)), "set all three"),
    "in the type": (f'{tripod_at("<location/>")}<type name="t">{value(x=1)}</type>', "has no meaning there"),
    "in the instrument": (tripod_at("<location/>") + value(x=1), "has no meaning there"),
    "in locations": (
        tripod_at(f'<locations n-elements="1" x="1">{value(x=1)}</locations>'),
        "has no meaning there",
    ),
    "link to nobody": (
        tripod_at("<location/>") + f'<component-link name="leg">{value(x=1)}</component-link>',
        "has no component 'leg'",
    ),
    "path from nobody": (
        tripod_at("<location/>") + f'<component-link name="leg/arm">{value(x=1)}</component-link>',
        "moves the component 'leg/arm' by a <component-link>, and has no component 'leg'",
    ),
    "link to a pixel": (
        tripod_at("<location/>") + f'<component-link id="2">{value(x=1)}</component-link>',
        "moves a single detector",
    ),
    "link without a name": (
        tripod_at("<location/>") + f"<component-link>{value(x=1)}</component-link>",
        "needs the attribute name",
    ),
    "onto the sample": (tripod_at(f"<location>{value(x=-0.1)}</location>"), "pixel 0 where the sample is"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_moves_that_are_refused(define, case):
    body, expected = BROKEN[case]
    assert expected in refusal(define(body), {"motor": slow_log([1.0, 2.0])})


def test_the_logs_of_a_broken_definition(define):
    with pytest.raises(GeometryError, match="The instrument definition of TEST is not XML"):
        moving_logs(type(define(""))("TEST", "<"))
