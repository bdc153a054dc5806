"""The compiled walks through packets of events. Imports numba: import this module only where events are read.

Each count on the wire says where the next one stands, so a payload can only be walked from its beginning. All
walks take the payload as uint32 words, check each count against the words that are left before they follow it,
and say in `result` how far they came.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from livered_core.compiling import compile_kept

U32 = npt.NDArray[np.uint32]
I64 = npt.NDArray[np.int64]

# Places in `result`.
PROBLEM: Final = 0
"""0, or one of the numbers below."""
SOURCES: Final = 1
"""Sources begun, the one with the problem included."""
BANKS: Final = 2
"""Banks begun in all, the one with the problem included."""
EVENTS: Final = 3
"""Events in all banks that are whole."""
WORDS_LEFT: Final = 4
"""Words left where the problem is."""
COUNT: Final = 5
"""The count that does not fit."""
ERROR_EVENTS: Final = 6
"""Events of the bank of error pixels."""
UNMAPPED_EVENTS: Final = 7
"""Events of the bank of unmapped pixels."""
UNCORRECTED: Final = 8
"""Sources whose events lack a correction of frame skew that they ought to have."""
BANK_OF_SOURCE: Final = 9
"""Banks begun in the last source."""
RESULT_SIZE: Final = 10

SOURCE_CUT: Final = 1
BANKS_LIE: Final = 2
BANK_CUT: Final = 3
EVENTS_LIE: Final = 4

_HEAD: Final = 4
_ERROR_BANK: Final = 0xFFFF_FFFE
_CORRECTED: Final = 0x8000_0000


def _walk_events(
    words: U32, bank_words: int, shifting: bool, copying: bool, pixel_id: U32, tof: U32, result: I64
) -> None:
    """Count the events of a payload and, if wanted, put those of detector pixels into columns.

    Parameters
    ----------
    words
        uint32[w], the payload.
    bank_words
        Words at the beginning of a bank: 2, or 3 where a state is among them.
    shifting
        Whether the offset of frame skew is added where it has not been.
    copying
        Whether `pixel_id` and `tof` are written.
    pixel_id, tof
        uint32[m], with room for all events that the payload can hold; written from the beginning on.
    result
        int64[RESULT_SIZE], written.
    """
    result[:] = 0
    end = len(words)
    position = _HEAD
    n = 0
    while position < end:
        result[SOURCES] += 1
        result[BANK_OF_SOURCE] = 0
        result[WORDS_LEFT] = end - position
        if end - position < 4:
            result[PROBLEM] = SOURCE_CUT
            return
        offset = words[position + 2]
        banks = np.int64(words[position + 3])
        position += 4
        shift = np.uint32(0)
        if offset < _CORRECTED and offset > 0:
            result[UNCORRECTED] += 1
            if shifting:
                shift = offset
        if banks > (end - position) // bank_words:
            result[PROBLEM], result[COUNT], result[WORDS_LEFT] = BANKS_LIE, banks, end - position
            return
        for _ in range(banks):
            result[BANKS] += 1
            result[BANK_OF_SOURCE] += 1
            if end - position < bank_words:
                result[PROBLEM], result[WORDS_LEFT] = BANK_CUT, end - position
                return
            bank = words[position]
            events = np.int64(words[position + bank_words - 1])
            position += bank_words
            if events > (end - position) // 2:
                result[PROBLEM], result[COUNT], result[WORDS_LEFT] = EVENTS_LIE, events, end - position
                return
            result[EVENTS] += events
            if bank >= _ERROR_BANK:
                result[ERROR_EVENTS if bank == _ERROR_BANK else UNMAPPED_EVENTS] += events
            elif copying:
                # Slices of their own let the compiler take several events at a time.
                source = words[position : position + 2 * events]
                to_tof = tof[n : n + events]
                to_pixel = pixel_id[n : n + events]
                for i in range(events):
                    to_tof[i] = source[2 * i] + shift
                    to_pixel[i] = source[2 * i + 1]
                n += events
            position += 2 * events


def _read_all(words: U32, bank_words: int, sources: U32, banks: U32, pixel_id: U32, tof: U32) -> None:
    """Copy everything out of a payload that `walk_events` has found whole.

    Parameters
    ----------
    words, bank_words
        As in `walk_events`.
    sources
        uint32[4, s], written: id, time between pulses, offset word, number of banks of each source.
    banks
        uint32[3, b], written: id, state (0 where there is none), number of events of each bank.
    pixel_id, tof
        uint32[n], written: all events in the order of the wire.
    """
    position = _HEAD
    bank = 0
    n = 0
    for source in range(sources.shape[1]):
        for word in range(4):
            sources[word, source] = words[position + word]
        position += 4
        for _ in range(sources[3, source]):
            banks[0, bank] = words[position]
            banks[1, bank] = words[position + 1] if bank_words == 3 else 0
            events = np.int64(words[position + bank_words - 1])
            banks[2, bank] = events
            position += bank_words
            for i in range(events):
                tof[n + i] = words[position + 2 * i]
                pixel_id[n + i] = words[position + 2 * i + 1]
            bank += 1
            n += events
            position += 2 * events


def _measure_monitors(words: U32, result: I64) -> None:
    """Count sections (as `SOURCES`) and events of a packet of beam monitor events."""
    result[:] = 0
    end = len(words)
    position = _HEAD
    while position < end:
        result[SOURCES] += 1
        result[WORDS_LEFT] = end - position
        if end - position < 3:
            result[PROBLEM] = SOURCE_CUT
            return
        events = np.int64(words[position] & 0x3F_FFFF)
        position += 3
        if events > end - position:
            result[PROBLEM], result[COUNT], result[WORDS_LEFT] = EVENTS_LIE, events, end - position
            return
        result[EVENTS] += events
        position += events


def _read_monitors(words: U32, sections: U32, event_offset: I64, events: U32) -> None:
    """Copy everything out of a payload that `measure_monitors` has found whole.

    Parameters
    ----------
    words
        uint32[w], the payload.
    sections
        uint32[3, m], written: the three words at the beginning of each section.
    event_offset
        int64[m + 1], written.
    events
        uint32[n], written: the words of all events.
    """
    position = _HEAD
    n = 0
    event_offset[0] = 0
    for section in range(sections.shape[1]):
        for word in range(3):
            sections[word, section] = words[position + word]
        position += 3
        count = np.int64(sections[0, section] & 0x3F_FFFF)
        for i in range(count):
            events[n + i] = words[position + i]
        position += count
        n += count
        event_offset[section + 1] = n


walk_events = compile_kept(_walk_events)
read_all = compile_kept(_read_all)
measure_monitors = compile_kept(_measure_monitors)
read_monitors = compile_kept(_read_monitors)
