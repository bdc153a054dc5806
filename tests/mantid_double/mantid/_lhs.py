"""Which variables the value of a call goes to: the left-hand side of the line that calls."""

from __future__ import annotations

import dis
import functools
from types import CodeType, FrameType

_STORES = ("STORE_NAME", "STORE_FAST", "STORE_GLOBAL", "STORE_FAST_STORE_FAST", "STORE_FAST_LOAD_FAST")
_SKIPPED = ("CACHE", "COPY", "NOP", "DUP_TOP")


def assigned_names(frame: FrameType) -> tuple[int, tuple[str, ...]]:
    """Return how many variables, and their names; a variable captured by a closure counts without a name."""
    return _assigned(frame.f_code, frame.f_lasti)


@functools.lru_cache(maxsize=1024)
def _assigned(code: CodeType, last: int) -> tuple[int, tuple[str, ...]]:
    following = [each for each in dis.get_instructions(code) if each.offset > last]
    names: list[str] = []
    wanted = 1
    for instruction in following:
        if instruction.opname in _SKIPPED:
            continue
        if instruction.opname == "UNPACK_SEQUENCE" and not names:
            wanted = instruction.arg or 0
        elif instruction.opname in _STORES:
            # From Python 3.13 on one instruction may store two, or store one and load another.
            stored = instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,)
            names += list(stored)[: 1 if instruction.opname.endswith("LOAD_FAST") else 2]
            if len(names) >= wanted:
                break
        else:
            break
    return (wanted, tuple(names[:wanted])) if len(names) >= wanted else (0, ())
