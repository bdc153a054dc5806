"""Values of process variables: one value, an array, or several values with a time each.

Layouts: sections "Variable Value" and "Multiple Variable Value" of the protocol. All begin with the numbers of
device and variable, and a word of status and severity; `time_ns` of a single value may be months ago.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import attrs
import numpy as np

from livered_core.adara.columns import (
    F64,
    I64,
    U32,
    by_value,
    by_value_or_nan,
    is_f64,
    is_i64,
    is_u32,
    require_offsets,
    require_same_length,
    shape,
)
from livered_core.adara.types import VariableSeverity, VariableStatus
from livered_core.adara.wire import (
    RawPacket,
    bits,
    damaged,
    padded,
    require_at_least,
    require_length,
    text_at,
    text_bytes,
    unfit,
)

# Status is the upper half of its word, so that it follows the severity in memory.
_HEAD = struct.Struct("<IIHH")
_U32 = struct.Struct("<I")
_TWO_U32 = struct.Struct("<II")
_DOUBLE = struct.Struct("<d")
_FIXED: Final = _HEAD.size + _U32.size
MOST_VALUES: Final = 1 << 18
"""Values of the largest packet of several values that is read: a hundred times what comes between two pulses."""
_UPDATE_DOUBLE: Final = np.dtype([("after_ns", "<u4"), ("value", "<f8")])


@attrs.frozen(kw_only=True)
class VariableU32:
    """Type 0x8001: a new value of an integer, a boolean or an enumeration. `time_ns` may be months ago."""

    time_ns: int
    device_id: int
    variable_id: int
    value: int
    status: VariableStatus = VariableStatus.OK
    severity: VariableSeverity = VariableSeverity.OK
    version: int = 0


@attrs.frozen(kw_only=True)
class VariableDouble:
    """Type 0x8002: a new value of a number. `time_ns` may be months ago."""

    time_ns: int
    device_id: int
    variable_id: int
    value: float
    status: VariableStatus = VariableStatus.OK
    severity: VariableSeverity = VariableSeverity.OK
    version: int = 0


@attrs.frozen(kw_only=True)
class VariableString:
    """Type 0x8003: a new value of a text. `time_ns` may be months ago."""

    time_ns: int
    device_id: int
    variable_id: int
    value: str
    status: VariableStatus = VariableStatus.OK
    severity: VariableSeverity = VariableSeverity.OK
    version: int = 0


@attrs.frozen(kw_only=True)
class VariableU32Array:
    """Type 0x8004: new values of an array of integers, uint32[n]. `time_ns` may be months ago."""

    time_ns: int
    device_id: int
    variable_id: int
    value: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)
    status: VariableStatus = VariableStatus.OK
    severity: VariableSeverity = VariableSeverity.OK
    version: int = 0


@attrs.frozen(kw_only=True)
class VariableDoubleArray:
    """Type 0x8005: new values of an array of numbers, float64[n]. `time_ns` may be months ago."""

    time_ns: int
    device_id: int
    variable_id: int
    value: F64 = attrs.field(validator=is_f64, eq=by_value_or_nan, repr=shape)
    status: VariableStatus = VariableStatus.OK
    severity: VariableSeverity = VariableSeverity.OK
    version: int = 0


@attrs.frozen(kw_only=True)
class _Multiple:
    """What packets of several values have in common.

    Attributes
    ----------
    time_ns
        The base from which the values' times are counted, usually a pulse.
    value_time_ns
        int64[m], time of each value, nanoseconds UTC since the Unix epoch; at most 4.29 s after `time_ns`.
    """

    time_ns: int
    device_id: int
    variable_id: int
    value_time_ns: I64 = attrs.field(validator=is_i64, eq=by_value, repr=shape)
    status: VariableStatus = VariableStatus.OK
    severity: VariableSeverity = VariableSeverity.OK
    version: int = 0


@attrs.frozen(kw_only=True)
class MultipleVariableU32(_Multiple):
    """Type 0x8101: several values of an integer, a boolean or an enumeration; `value` is uint32[m]."""

    value: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)

    def __attrs_post_init__(self) -> None:
        require_same_length(self, "value_time_ns", "value")


@attrs.frozen(kw_only=True)
class MultipleVariableDouble(_Multiple):
    """Type 0x8102: several values of a number; `value` is float64[m]."""

    value: F64 = attrs.field(validator=is_f64, eq=by_value_or_nan, repr=shape)

    def __attrs_post_init__(self) -> None:
        require_same_length(self, "value_time_ns", "value")


@attrs.frozen(kw_only=True)
class MultipleVariableString(_Multiple):
    """Type 0x8103: several values of a text."""

    value: tuple[str, ...]

    def __attrs_post_init__(self) -> None:
        require_same_length(self, "value_time_ns", "value")


@attrs.frozen(kw_only=True)
class MultipleVariableU32Array(_Multiple):
    """Type 0x8104: several values of an array of integers.

    Attributes
    ----------
    value_offset
        int64[m + 1]: the elements of value i are ``value_offset[i]:value_offset[i + 1]``.
    value
        uint32[n], elements of all values.
    """

    value_offset: I64 = attrs.field(validator=is_i64, eq=by_value, repr=shape)
    value: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)

    def __attrs_post_init__(self) -> None:
        require_offsets(self, "value_offset", len(self.value_time_ns), len(self.value))


@attrs.frozen(kw_only=True)
class MultipleVariableDoubleArray(_Multiple):
    """Type 0x8105: several values of an array of numbers.

    Attributes
    ----------
    value_offset
        int64[m + 1]: the elements of value i are ``value_offset[i]:value_offset[i + 1]``.
    value
        float64[n], elements of all values.
    """

    value_offset: I64 = attrs.field(validator=is_i64, eq=by_value, repr=shape)
    value: F64 = attrs.field(validator=is_f64, eq=by_value_or_nan, repr=shape)

    def __attrs_post_init__(self) -> None:
        require_offsets(self, "value_offset", len(self.value_time_ns), len(self.value))


Variable = (
    VariableU32
    | VariableDouble
    | VariableString
    | VariableU32Array
    | VariableDoubleArray
    | MultipleVariableU32
    | MultipleVariableDouble
    | MultipleVariableString
    | MultipleVariableU32Array
    | MultipleVariableDoubleArray
)
"""Everything that brings values of a variable."""


# Reading. All raise ProtocolError when a count does not fit the payload.


def decode_u32(raw: RawPacket) -> VariableU32:
    """Read type 0x8001."""
    require_length(raw, _FIXED)
    return VariableU32(value=_U32.unpack_from(raw.payload, _HEAD.size)[0], **_read_head(raw))


def decode_double(raw: RawPacket) -> VariableDouble:
    """Read type 0x8002."""
    require_length(raw, _HEAD.size + _DOUBLE.size)
    return VariableDouble(value=_DOUBLE.unpack_from(raw.payload, _HEAD.size)[0], **_read_head(raw))


def decode_string(raw: RawPacket) -> VariableString:
    """Read type 0x8003."""
    length = _count(raw)
    return VariableString(value=text_at(raw, _FIXED, length, "text"), **_read_head(raw))


def decode_u32_array(raw: RawPacket) -> VariableU32Array:
    """Read type 0x8004."""
    return VariableU32Array(value=_array(raw, "<u4").astype(np.uint32), **_read_head(raw))


def decode_double_array(raw: RawPacket) -> VariableDoubleArray:
    """Read type 0x8005."""
    return VariableDoubleArray(value=_array(raw, "<f8").astype(np.float64), **_read_head(raw))


def decode_multiple_u32(raw: RawPacket) -> MultipleVariableU32:
    """Read type 0x8101."""
    updates = _updates(raw, "<u4,<u4")
    times = raw.time_ns + updates["f0"].astype(np.int64)
    return MultipleVariableU32(value_time_ns=times, value=updates["f1"].astype(np.uint32), **_read_head(raw))


def decode_multiple_double(raw: RawPacket) -> MultipleVariableDouble:
    """Read type 0x8102."""
    updates = _updates(raw, _UPDATE_DOUBLE)
    times = raw.time_ns + updates["after_ns"].astype(np.int64)
    return MultipleVariableDouble(
        value_time_ns=times, value=updates["value"].astype(np.float64), **_read_head(raw)
    )


def decode_multiple_string(raw: RawPacket) -> MultipleVariableString:
    """Read type 0x8103."""
    after, places = _walk(raw, 1, padding=True)
    texts = [text_at(raw, start, length, "text") for start, length in places]
    return MultipleVariableString(value_time_ns=raw.time_ns + after, value=tuple(texts), **_read_head(raw))


def decode_multiple_u32_array(raw: RawPacket) -> MultipleVariableU32Array:
    """Read type 0x8104."""
    after, places = _walk(raw, 4)
    parts = [np.frombuffer(raw.payload, "<u4", count, start) for start, count in places]
    return MultipleVariableU32Array(
        value_time_ns=raw.time_ns + after,
        value_offset=_offsets([count for _, count in places]),
        value=np.concatenate([np.empty(0, np.uint32), *parts]).astype(np.uint32),
        **_read_head(raw),
    )


def decode_multiple_double_array(raw: RawPacket) -> MultipleVariableDoubleArray:
    """Read type 0x8105."""
    after, places = _walk(raw, 8)
    parts = [np.frombuffer(raw.payload, "<f8", count, start) for start, count in places]
    return MultipleVariableDoubleArray(
        value_time_ns=raw.time_ns + after,
        value_offset=_offsets([count for _, count in places]),
        value=np.concatenate([np.empty(0, np.float64), *parts]).astype(np.float64),
        **_read_head(raw),
    )


def _read_head(raw: RawPacket) -> dict[str, Any]:
    """Read the words that all variables share."""
    device_id, variable_id, severity, status = _HEAD.unpack_from(raw.payload)
    return {
        "time_ns": raw.time_ns,
        "device_id": device_id,
        "variable_id": variable_id,
        "status": VariableStatus(status),
        "severity": VariableSeverity(severity),
        "version": raw.version,
    }


def _count(raw: RawPacket) -> int:
    """Read the count that follows the head."""
    require_at_least(raw, _FIXED)
    count: int = _U32.unpack_from(raw.payload, _HEAD.size)[0]
    return count


def _array(raw: RawPacket, item: str | np.dtype[Any]) -> np.ndarray[Any, np.dtype[Any]]:
    """View as many items as the packet says that it has."""
    count, dtype = _count(raw), np.dtype(item)
    require_length(raw, _FIXED + count * dtype.itemsize)
    return np.frombuffer(raw.payload, dtype, count, _FIXED)


def _updates(raw: RawPacket, item: str | np.dtype[Any]) -> np.ndarray[Any, np.dtype[Any]]:
    """View values of one length with their times."""
    _several(raw)
    return _array(raw, item)


def _several(raw: RawPacket) -> int:
    """Read the count of a packet of several values, each of which costs many times its bytes."""
    count = _count(raw)
    if count > MOST_VALUES:
        raise damaged(raw, f"says that it has {count} values, more than the {MOST_VALUES} allowed")
    return count


def _walk(raw: RawPacket, item_size: int, *, padding: bool = False) -> tuple[I64, list[tuple[int, int]]]:
    """Follow values of different lengths: nanoseconds after the packet's time, and place and items of each."""
    count, end = _several(raw), len(raw.payload)
    if count > (end - _FIXED) // _TWO_U32.size:
        raise damaged(raw, f"says that it has {count} values, and holds {end - _FIXED} bytes of them")
    after: list[int] = []
    places: list[tuple[int, int]] = []
    position = _FIXED
    for number in range(1, count + 1):
        if end - position < _TWO_U32.size:
            raise damaged(raw, f"ends before value {number} of {count}")
        after_ns, items = _TWO_U32.unpack_from(raw.payload, position)
        position += _TWO_U32.size
        length = items * item_size
        if length > end - position:
            raise damaged(
                raw,
                f"says that value {number} of {count} has {length} bytes, and holds {end - position} bytes more",
            )
        after.append(after_ns)
        places.append((position, items))
        position += length + (-length % 4 if padding else 0)
    if position < end:
        raise damaged(raw, f"has {end - position} bytes left over after its {count} values")
    return np.array(after, np.int64), places


def _offsets(counts: list[int]) -> I64:
    return np.cumsum([0, *counts], dtype=np.int64)


# Writing: the payload. All raise DataModelError when a number does not fit its bits.


def encode_u32(packet: VariableU32) -> bytes:
    """Write type 0x8001."""
    return _head(packet) + _U32.pack(bits(packet, "value", packet.value, 32))


def encode_double(packet: VariableDouble) -> bytes:
    """Write type 0x8002."""
    try:
        value = _DOUBLE.pack(packet.value)
    except struct.error:
        raise unfit(packet, f"value is {packet.value!r} and must be a number") from None
    return _head(packet) + value


def encode_string(packet: VariableString) -> bytes:
    """Write type 0x8003."""
    data = text_bytes(packet, "value", packet.value, 32)
    return _head(packet) + _U32.pack(len(data)) + padded(data)


def encode_array(packet: VariableU32Array | VariableDoubleArray) -> bytes:
    """Write types 0x8004 and 0x8005."""
    return _head(packet) + _U32.pack(len(packet.value)) + _little(packet.value)


def encode_multiple_u32(packet: MultipleVariableU32) -> bytes:
    """Write type 0x8101."""
    updates = np.empty((len(packet.value), 2), "<u4")
    updates[:, 0] = _after(packet)
    updates[:, 1] = packet.value
    return _head(packet) + _U32.pack(len(updates)) + bytes(updates.tobytes())


def encode_multiple_double(packet: MultipleVariableDouble) -> bytes:
    """Write type 0x8102."""
    updates = np.empty(len(packet.value), _UPDATE_DOUBLE)
    updates["after_ns"] = _after(packet)
    updates["value"] = packet.value
    return _head(packet) + _U32.pack(len(updates)) + bytes(updates.tobytes())


def encode_multiple_string(packet: MultipleVariableString) -> bytes:
    """Write type 0x8103."""
    pieces = [_head(packet), _U32.pack(len(packet.value))]
    for after_ns, text in zip(_after(packet).tolist(), packet.value, strict=True):
        data = text_bytes(packet, "value", text, 32)
        pieces += [_TWO_U32.pack(after_ns, len(data)), padded(data)]
    return b"".join(pieces)


def encode_multiple_array(packet: MultipleVariableU32Array | MultipleVariableDoubleArray) -> bytes:
    """Write types 0x8104 and 0x8105."""
    pieces = [_head(packet), _U32.pack(len(packet.value_time_ns))]
    for row, after_ns in enumerate(_after(packet).tolist()):
        items = packet.value[packet.value_offset[row] : packet.value_offset[row + 1]]
        pieces += [_TWO_U32.pack(after_ns, len(items)), _little(items)]
    return b"".join(pieces)


def _head(packet: Variable) -> bytes:
    return _HEAD.pack(
        bits(packet, "device_id", packet.device_id, 32),
        bits(packet, "variable_id", packet.variable_id, 32),
        bits(packet, "severity", packet.severity, 16),
        bits(packet, "status", packet.status, 16),
    )


def _after(packet: _Multiple) -> I64:
    after = packet.value_time_ns - packet.time_ns
    if bool(((after < 0) | (after >= 1 << 32)).any()):
        raise unfit(packet, "a value_time_ns is before time_ns, or more than 4.29 s after it")
    return after


def _little(values: U32 | F64) -> bytes:
    return bytes(values.astype(values.dtype.newbyteorder("<")).tobytes())
