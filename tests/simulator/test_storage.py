from __future__ import annotations

import gc
import os
import threading
import weakref
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.simulator.storage import Emission, Reader, Start, Storage

SECOND = 10**9


def rest_of(reader: Reader, limit: int = 1 << 20) -> bytes:
    """Read to the end of a closed storage."""
    return b"".join(iter(lambda: reader.read(limit), b""))


def era(time_ns: int, data: bytes, **state: bytes) -> Emission:
    return Emission(time_ns, data, state=state, begins_era=True)


@given(
    pieces=st.lists(st.tuples(st.booleans(), st.binary(max_size=200)), max_size=30),
    limit=st.integers(1, 300),
)
def test_a_reader_gets_every_byte_once_and_in_order(pieces: list[tuple[bool, bytes]], limit: int):
    storage = Storage()
    early = storage.read_from(Start.ERA)
    for begins, data in pieces:
        storage.write(Emission(0, data, begins_era=begins))
    late = storage.read_from(Start.ERA)
    storage.close()
    assert rest_of(early, limit) == b"".join(data for _, data in pieces)
    last = max((index for index, (begins, _) in enumerate(pieces) if begins), default=0)
    assert rest_of(late, limit) == b"".join(data for _, data in pieces[last:])


def test_now_is_the_state_and_then_what_comes():
    storage = Storage()
    storage.write(era(0, b"prologue", status=b"S", value=b"1"))
    storage.write(Emission(1, b"seen", state={"value": b"2", "later": b"L"}))
    reader = storage.read_from(Start.NOW)
    storage.write(Emission(2, b"new", state={"value": b"3"}))
    storage.close()
    assert rest_of(reader) == b"S2Lnew"


def test_state_of_an_era_is_forgotten_with_it():
    storage = Storage()
    storage.write(era(0, b"a", info=b"run 1"))
    storage.write(era(1, b"b", status=b"no run"))
    reader = storage.read_from(Start.NOW)
    storage.close()
    assert rest_of(reader) == b"no run"


def test_a_time_begins_at_the_newest_index_entry_that_is_older():
    storage = Storage(index_interval_ns=10 * SECOND)
    storage.write(era(0, b"<0>", status=b"S", value=b"v0 "))
    for second in range(5, 50, 5):
        storage.write(Emission(second * SECOND, b"<%d>" % second, state={"value": b"v%d " % second}))
    asked = {moment: storage.read_from(moment * SECOND) for moment in (0, 10, 11, 25, 30, 31, 1000)}
    storage.close()
    got = {moment: rest_of(reader) for moment, reader in asked.items()}
    everything = b"<0>" + b"".join(b"<%d>" % second for second in range(5, 50, 5))
    assert got[0] == everything
    assert got[10] == everything  # an entry at the very time is not older
    assert got[11] == b"Sv5 <10><15><20><25><30><35><40><45>"
    assert got[25] == b"Sv15 <20><25><30><35><40><45>"
    assert got[30] == got[25]
    assert got[31] == b"Sv25 <30><35><40><45>"
    assert got[1000] == b"Sv35 <40><45>"


def test_the_index_does_not_reach_into_older_eras():
    storage = Storage(index_interval_ns=SECOND)
    storage.write(era(0, b"old"))
    storage.write(Emission(5 * SECOND, b"old"))
    storage.write(era(10 * SECOND, b"new"))
    reader = storage.read_from(3 * SECOND)
    storage.close()
    assert rest_of(reader) == b"new"


def test_a_waiting_reader_is_woken():
    storage = Storage()
    reader = storage.read_from(Start.ERA)
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.append(reader.read()))
    thread.start()
    storage.write(Emission(0, b"at last"))
    thread.join(10.0)
    assert got == [b"at last"]
    waits = threading.Thread(target=lambda: got.append(reader.read()))
    waits.start()
    storage.close()
    waits.join(10.0)
    assert got[1:] == [b""]


def test_files_have_no_name_and_go_when_nobody_reads_them(tmp_path: Path):
    storage = Storage(tmp_path)
    storage.write(era(0, b"one"))
    slow = storage.read_from(Start.ERA)
    first = weakref.ref(slow._era)
    descriptor = slow._era.fd
    storage.write(era(1, b"two"))
    storage.write(era(2, b"three"))
    assert list(tmp_path.iterdir()) == []
    gc.collect()
    assert first() is not None
    assert slow.read(3) == b"one"
    assert slow.read(3) == b"two"
    assert first() is None, "the file of an era that everybody has left is kept"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    assert slow.read(5) == b"three"


def test_history_is_not_held_in_memory(tmp_path: Path):
    import tracemalloc

    storage = Storage(tmp_path)
    reader = storage.read_from(Start.ERA)
    piece = bytes(1 << 20)
    tracemalloc.start()
    try:
        for second in range(64):
            storage.write(Emission(second * SECOND, piece))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20
    storage.close()
    assert len(rest_of(reader)) == 64 << 20
