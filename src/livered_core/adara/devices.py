"""The device descriptor document: a device, its variables, and the names of their enumerated values.

The shape is that of ``device.xsd`` of the ADARA repository, as servers write it (with ``pv_connection``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import attrs

from livered_core.adara.documents import child, children, parse, tagged, text_of, whole_number
from livered_core.errors import ProtocolError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_WHAT: Final = "device descriptor"
_NAMESPACE: Final = "http://public.sns.gov/schema/device.xsd"


@attrs.frozen
class ProcessVariable:
    """A variable of a device. All texts come from outside.

    Attributes
    ----------
    name
        Name for people; that of the connection where the document gives none.
    type
        ``double``, ``string``, ``integer``, ``unsigned integer``, ``boolean``, or the name of an enumeration
        of the device such as ``enum_01``.
    unit
        Empty when not given.
    connection
        Name in the control system; empty when not given.
    """

    name: str
    type: str
    unit: str = ""
    connection: str = ""


@attrs.frozen
class Device:
    """A device and its variables.

    Attributes
    ----------
    name
        Name of the device.
    variables
        Number by which values refer to it, to variable.
    enumerations
        Name of the enumeration to number to name of the value. Variables may also refer to enumerations of
        another device, shared by all.
    """

    name: str
    variables: Mapping[int, ProcessVariable] = attrs.field(factory=dict)
    enumerations: Mapping[str, Mapping[int, str]] = attrs.field(factory=dict)


def read_device(xml: str) -> Device:
    """Read a device descriptor document.

    Parameters
    ----------
    xml
        `DeviceDescriptor.xml`, not empty: an empty one says that the device is taken back.

    Raises
    ------
    ProtocolError
        When the document is not well formed, hostile, of another kind, or lacks a name or number.
    """
    root = parse(xml, "device", _WHAT)
    enumerations = child(root, "enumerations")
    variables = child(root, "process_variables")
    return Device(
        name=_required(root, "device_name"),
        variables=dict(_read_variable(each) for each in children(variables, "process_variable"))
        if variables is not None
        else {},
        enumerations={
            _required(each, "enum_name"): _read_values(each) for each in children(enumerations, "enumeration")
        }
        if enumerations is not None
        else {},
    )


def _required(element: Element, name: str) -> str:
    text = text_of(element, name)
    if not text:
        message = f"The {_WHAT} in the ADARA stream lacks a {name}."
        raise ProtocolError(message)
    return text


def _read_variable(element: Element) -> tuple[int, ProcessVariable]:
    number = whole_number(_required(element, "pv_id"), "pv_id", _WHAT)
    connection = text_of(element, "pv_connection")
    return number, ProcessVariable(
        name=text_of(element, "pv_name") or connection or _required(element, "pv_name"),
        type=_required(element, "pv_type"),
        unit=text_of(element, "pv_units"),
        connection=connection,
    )


def _read_values(element: Element) -> dict[int, str]:
    values = {}
    for each in children(element, "enum_element"):
        text = _required(each, "enum_element_value")
        sign = -1 if text.startswith("-") else 1
        number = sign * whole_number(text.removeprefix("-"), "enum_element_value", _WHAT)
        values[number] = text_of(each, "enum_element_name")
    return values


def device_descriptor_xml(device: Device) -> str:
    """Write a device descriptor document as servers do, with all text escaped.

    Parameters
    ----------
    device
        The device.

    Returns
    -------
    str
        The document for a `DeviceDescriptor`.
    """
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<device xmlns="{_NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="{_NAMESPACE} {_NAMESPACE}">',
        "  " + tagged("device_name", device.name),
    ]
    if device.enumerations:
        lines.append("  <enumerations>")
        for name, values in device.enumerations.items():
            lines += ["    <enumeration>", "      " + tagged("enum_name", name)]
            for number, text in values.items():
                lines += [
                    "      <enum_element>",
                    "        " + tagged("enum_element_name", text),
                    "        " + tagged("enum_element_value", str(number)),
                    "      </enum_element>",
                ]
            lines.append("    </enumeration>")
        lines.append("  </enumerations>")
    lines.append("  <process_variables>")
    for number, variable in device.variables.items():
        lines.append("    <process_variable>")
        lines.append("      " + tagged("pv_name", variable.name))
        if variable.connection:
            lines.append("      " + tagged("pv_connection", variable.connection))
        lines.append("      " + tagged("pv_id", str(number)))
        lines.append("      " + tagged("pv_type", variable.type))
        if variable.unit:
            lines.append("      " + tagged("pv_units", variable.unit))
        lines.append("    </process_variable>")
    lines += ["  </process_variables>", "</device>", ""]
    return "\n".join(lines)
