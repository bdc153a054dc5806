"""Descriptors and values: how many are remembered, and what is said of one too many."""

from __future__ import annotations

import pytest

from adara_support import START
from livered_core.adara import Device, DeviceDescriptor, ProcessVariable, VariableString, VariableU32
from livered_core.adara.devices import device_descriptor_xml
from livered_core.chunking import slow_logs
from livered_core.chunking.slow_logs import SlowLogDecoder
from livered_core.errors import ProtocolError


def descriptor(number, enumerations, variables=()):
    device = Device(f"d{number}", dict(variables), enumerations)
    return DeviceDescriptor(time_ns=START, device_id=number, xml=device_descriptor_xml(device))


def value(device, variable, number=1):
    return VariableU32(time_ns=START, device_id=device, variable_id=variable, value=number)


def text(variable, size):
    return VariableString(time_ns=START, device_id=9, variable_id=variable, value="x" * size)


def test_values_of_too_many_variables_are_refused_and_known_ones_are_taken(monkeypatch):
    monkeypatch.setattr(slow_logs, "MOST_LOGS", 3)
    decoder = SlowLogDecoder()
    for number in range(3):
        assert len(list(decoder.feed(value(1, number)))) == 1
    with pytest.raises(ProtocolError, match="more than 3 variables: 'device 1 variable 3' is one too many"):
        list(decoder.feed(value(1, 3)))
    assert len(list(decoder.feed(value(1, 2)))) == 1


def test_values_that_take_too_much_memory_are_refused_and_shorter_ones_make_room(monkeypatch):
    monkeypatch.setattr(slow_logs, "MOST_HELD", 100)
    decoder = SlowLogDecoder()
    list(decoder.feed(text(0, 90)))
    with pytest.raises(ProtocolError, match="more than 100 bytes in all"):
        list(decoder.feed(text(1, 20)))
    list(decoder.feed(text(0, 80)))
    assert len(list(decoder.feed(text(1, 20)))) == 1


def test_descriptors_that_are_too_long_together_are_refused_and_one_taken_back_makes_room(monkeypatch):
    first, second = descriptor(1, {}), descriptor(2, {})
    monkeypatch.setattr(slow_logs, "MOST_CHARACTERS", len(first.xml) + 10)
    decoder = SlowLogDecoder()
    list(decoder.feed(first))
    list(decoder.feed(first))
    with pytest.raises(ProtocolError, match="characters in all: that of 'd2' is one too many"):
        list(decoder.feed(second))
    list(decoder.feed(DeviceDescriptor(time_ns=START, device_id=1, xml="")))
    list(decoder.feed(second))


def test_enumerations_are_shared_and_go_with_the_device_that_has_them():
    decoder = SlowLogDecoder()
    list(decoder.feed(descriptor(1, {"enum_01": {1: "open"}})))
    list(decoder.feed(descriptor(2, {}, {7: ProcessVariable("shutter", "enum_01")})))
    (sample,) = decoder.feed(value(2, 7))
    assert (sample.name, sample.value) == ("shutter", "open")
    list(decoder.feed(descriptor(1, {"enum_01": {1: "shut"}})))
    (sample,) = decoder.feed(value(2, 7))
    assert sample.value == "shut"
    list(decoder.feed(DeviceDescriptor(time_ns=START, device_id=1, xml="")))
    (sample,) = decoder.feed(value(2, 7))
    assert sample.value == 1
