from __future__ import annotations

import gc
import os
import threading
import weakref
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.config.faults import Fault
from livered_core.simulator.emission import Emission, FileRange, OpenFile, Shared
from livered_core.simulator.storage import Reader, Start, Storage

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


@given(
    emitted=st.lists(
        st.tuples(
            st.booleans(),
            st.lists(
                st.one_of(
                    st.binary(max_size=50),
                    st.tuples(st.sampled_from("sf"), st.integers(0, 99), st.integers(0, 99)),
                ),
                max_size=6,
            ),
        ),
        max_size=20,
    ),
    limit=st.integers(1, 120),
)
def test_what_is_referred_to_is_read_with_what_is_kept(
    tmp_path_factory: pytest.TempPathFactory, emitted, limit
):
    content = bytes(range(100))
    path = tmp_path_factory.getbasetemp() / "content"
    path.write_bytes(content)
    file, shared, whole = OpenFile(path), Shared(content[::-1]), b""
    storage = Storage()
    reader = storage.read_from(Start.ERA)
    for begins, parts in emitted:
        made = []
        for part in parts:
            if isinstance(part, bytes):
                made.append(part)
                whole += part
            elif part[0] == "s":
                made.append(shared)
                whole += content[::-1]
            else:
                begin, end = sorted(part[1:])
                made.append(FileRange(file, begin, end - begin))
                whole += content[begin:end]
        emission = Emission(0, made, begins_era=begins)
        assert emission.data == whole[len(whole) - len(emission.data) :]
        storage.write(emission)
    storage.close()
    assert rest_of(reader, limit) == whole


def test_a_file_referred_to_that_became_shorter_is_an_error_and_not_silence(tmp_path: Path):
    path = tmp_path / "content"
    path.write_bytes(bytes(100))
    storage = Storage()
    storage.write(Emission(0, [FileRange(OpenFile(path), 50, 50)]))
    os.truncate(path, 80)
    with pytest.raises(OSError, match="has become shorter"):
        storage.read_from(Start.ERA).read()


def test_references_take_a_few_words_of_memory(tmp_path: Path):
    import tracemalloc

    storage, template = Storage(tmp_path), Shared(bytes(1 << 20))
    reader = storage.read_from(Start.ERA)
    tracemalloc.start()
    try:
        for second in range(10_000):
            storage.write(Emission(second, [b"head", template]))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 100 * 10_000
    buffers = reader.buffers(1 << 30)
    assert 100 < len(buffers) < 1000
    assert b"".join(buffers[:4]) == (b"head" + bytes(1 << 20)) * 2


def test_an_era_s_prologue_is_for_those_who_begin_there():
    storage = Storage(index_interval_ns=SECOND)
    storage.write(Emission(0, b"old "))
    following = storage.read_from(Start.ERA)
    storage.write(Emission(1, b"run ", state={"a": b"A "}, begins_era=True, prologue=b"P "))
    storage.write(Emission(2 * SECOND, b"data "))
    joined, marked = storage.read_from(Start.ERA), storage.read_from(3 * SECOND)
    storage.close()
    assert rest_of(following) == b"old run data "
    assert rest_of(joined) == b"P run data "
    assert rest_of(marked) == b"A data "


def test_a_fault_comes_at_its_place_and_spares_those_who_came_after_it_happened():
    storage = Storage()
    fault = Fault("reset", 1.0)
    first, second = storage.read_from(Start.ERA), storage.read_from(Start.ERA)
    storage.write(Emission(0, b"before "))
    storage.write(Emission(1, b"after ", fault=fault))
    assert first.fault() is None
    assert b"".join(first.buffers()) == b"before "
    assert first.buffers() == []
    assert (first.fault(), first.fault()) == (fault, None)
    again = storage.read_from(Start.ERA)
    assert b"".join(again.buffers()) == b"before "
    assert again.buffers() == []
    assert again.fault() is None, "it happened already, and brought this reader here"
    assert b"".join(again.buffers()) == b"after "
    assert b"".join(second.buffers()) == b"before "
    assert second.fault() == fault, "this one was there before"
    assert b"".join(first.buffers()) == b"after "


def test_a_fault_at_the_end_of_an_era_is_not_passed_over():
    storage = Storage()
    reader = storage.read_from(Start.ERA)
    storage.write(Emission(0, b"run"))
    storage.write(Emission(1, b"", fault=Fault("close", 1.0)))
    storage.write(era(2, b"next"))
    storage.close()
    assert b"".join(reader.buffers()) == b"run"
    assert reader.buffers() == []
    assert reader.fault() == Fault("close", 1.0)
    assert b"".join(reader.buffers()) == b"next"


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
