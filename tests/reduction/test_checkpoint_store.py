from __future__ import annotations

import hashlib
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checkpoint_support import FINGERPRINT, Plain, Point, checkpoint, livered_alone, same
from livered_core.errors import ConfigError
from livered_core.model import RunEndReason
from livered_core.reduction.checkpoint_codec import NotStorable
from livered_core.reduction.checkpoint_store import CheckpointStore, CheckpointTooLarge


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path)


def load(store: CheckpointStore, fingerprint=None):
    return store.load(FINGERPRINT if fingerprint is None else fingerprint, livered_alone)


def files(folder: Path, pattern: str = "*") -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").glob(pattern))


def newest(folder: Path) -> Path:
    return max((folder / "checkpoints").glob("*.checkpoint"))


def test_what_is_saved_is_loaded_exactly(store, tmp_path):
    kept = checkpoint({"a": np.arange(3), "b": Point(1.0)}, ended=RunEndReason.REPLACED)
    size = store.save(kept)
    loaded = load(store)
    assert loaded.remarks == ()
    assert same(loaded.checkpoint, kept)
    assert loaded.checkpoint.ended is RunEndReason.REPLACED
    path = newest(tmp_path)
    assert path.stat().st_size == size
    content = path.read_bytes()
    assert content.startswith(b"livered checkpoint 1\n")
    assert content[21:53] == hashlib.sha256(content[53:]).digest()


def test_only_its_owner_can_read_it(store, tmp_path):
    old = os.umask(0)
    try:
        store.save(checkpoint(1))
    finally:
        os.umask(old)
    assert stat.S_IMODE(newest(tmp_path).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "checkpoints").stat().st_mode) == 0o700


def test_two_hundred_saves_leave_the_newest_two(store, tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: None)
    for number in range(200):
        store.save(checkpoint(number, number))
    assert files(tmp_path) == ["0000000199.checkpoint", "0000000200.checkpoint"]
    assert load(store).checkpoint.state.accumulated == 199


def test_nothing_there_is_nothing_to_say(store, tmp_path):
    assert load(store) == load(CheckpointStore(tmp_path / "missing"))
    assert load(store).checkpoint is None
    assert load(store).remarks == ()
    store.clear()


def test_another_process_goes_on_with_the_numbers(store, tmp_path):
    store.save(checkpoint(1, 50))
    CheckpointStore(tmp_path).save(checkpoint(2, 1))
    assert load(store).checkpoint.state.accumulated == 2


def test_clear_removes_all_and_what_a_killed_process_left(store, tmp_path):
    store.save(checkpoint(1))
    folder = tmp_path / "checkpoints"
    (folder / ".0123456789abcdef.partial").touch()
    (folder / "0000000009.damaged").touch()
    (folder / "notes.txt").touch()
    store.clear()
    assert files(tmp_path, "*") + files(tmp_path, ".*.partial") == ["0000000009.damaged", "notes.txt"]


def test_saving_removes_what_a_killed_process_left(store, tmp_path):
    store.save(checkpoint(1))
    (tmp_path / "checkpoints" / ".0123456789abcdef.partial").touch()
    store.save(checkpoint(2))
    assert files(tmp_path, ".*") == []


def two(store, tmp_path, accumulated="newer") -> Path:
    """Save two, and return the newer one's file."""
    store.save(checkpoint("older", 1))
    store.save(checkpoint(accumulated, 2))
    return newest(tmp_path)


def lengths(size: int) -> list[int]:
    line, checksum, head = 21, 53, 53 + 8
    return [0, 1, line - 1, line, line + 5, checksum, checksum + 3, head, head + 9, size // 2, size - 1]


@pytest.mark.parametrize("which", range(11))
def test_a_torn_file_is_set_aside_and_the_older_one_used(store, tmp_path, which):
    path = two(store, tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: lengths(len(content))[which]])
    loaded = load(store)
    assert loaded.checkpoint.state.accumulated == "older"
    (remark,) = loaded.remarks
    assert remark.startswith(f"Checkpoint {path} is damaged: it")
    assert remark.endswith("it is kept as 0000000002.damaged.")
    assert files(tmp_path) == ["0000000001.checkpoint", "0000000002.damaged"]


@pytest.mark.parametrize("filler", [b"\0", b"\xff"], ids=["zeros", "ones"])
def test_a_file_whose_end_never_reached_the_disk(store, tmp_path, filler):
    """What a loss of power leaves: the length is right, the content is not."""
    path = two(store, tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:100] + filler * (len(content) - 100))
    assert load(store).checkpoint.state.accumulated == "older"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_no_flipped_bit_goes_unseen(tmp_path, data):
    store = CheckpointStore(tmp_path)
    store.clear()
    store.save(checkpoint("only"))
    path = newest(tmp_path)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    loaded = load(store)
    assert loaded.checkpoint is None
    assert len(loaded.remarks) == 1


def test_two_damaged_files_are_kept_at_most(store, tmp_path):
    for number in range(1, 6):
        store.save(checkpoint(number))
        newest(tmp_path).write_bytes(b"")
        load(store)
    assert files(tmp_path) == ["0000000004.damaged", "0000000005.damaged"]


def rewritten(path: Path, change) -> None:
    """Change what follows the checksum, and make the checksum anew."""
    content = path.read_bytes()
    body = change(content[53:])
    path.write_bytes(content[:21] + hashlib.sha256(body).digest() + body)


@pytest.mark.parametrize("layout", [b"0", b"2", b"999"])
def test_another_layout_is_passed_over_and_stays(store, tmp_path, layout):
    path = two(store, tmp_path)
    path.write_bytes(path.read_bytes().replace(b"checkpoint 1\n", b"checkpoint " + layout + b"\n", 1))
    loaded = load(store)
    assert loaded.checkpoint.state.accumulated == "older"
    assert loaded.remarks == (
        f"Checkpoint {path} is not used: it has layout {int(layout)}, and this livered knows layout 1 only.",
    )
    assert path.exists()


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (
            {**FINGERPRINT, "the configuration": "9"},
            "the configuration is not what it was made with",
        ),
        (
            {**FINGERPRINT, "the configuration": "9", "the code of plugin x": "1"},
            "the configuration and the code of plugin x are not what it was made with",
        ),
        ({}, "the configuration and the code of livered are not what it was made with"),
    ],
    ids=["changed", "two", "gone"],
)
def test_what_differs_is_said(store, tmp_path, now, said):
    store.save(checkpoint(1))
    loaded = load(store, now)
    assert loaded.checkpoint is None
    assert loaded.remarks == (f"Checkpoint {newest(tmp_path)} is not used: {said}.",)


def test_an_older_checkpoint_of_this_code_is_used_after_one_of_another(store):
    store.save(checkpoint("ours"))
    store.save(checkpoint("theirs", fingerprint={"the configuration": "2"}))
    assert load(store).checkpoint.state.accumulated == "ours"


def test_a_class_that_may_not_be_imported_is_damage_not_a_crash(store):
    store.save(checkpoint(Point(1.0)))
    loaded = store.load(FINGERPRINT, lambda module: module.startswith("livered_core"))
    assert loaded.checkpoint is None
    assert "classes of checkpoint_support are not taken from it" in loaded.remarks[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body[:8] + b"[" * 50_000,
        lambda body: b"\xff" * 8 + body[8:],
        lambda body: body[:3],
        lambda body: b"",
        lambda body: (2).to_bytes(8, "little") + b"[]" + body,
        lambda body: body.replace(b"reduction.checkpoint:Checkpoint", b"reduction.run_state:RunState___"),
    ],
)
def test_a_forged_file_is_no_crash(store, tmp_path, change):
    path = two(store, tmp_path)
    rewritten(path, change)
    assert load(store).checkpoint.state.accumulated == "older"


def test_something_else_with_a_right_checksum(store, tmp_path):
    path = two(store, tmp_path)
    body = b"livered_core.model.run:RunInfo"
    assert body in path.read_bytes()
    rewritten(
        path,
        lambda content: (
            content[: content.index(b'{"parts"') - 8]
            + (24).to_bytes(8, "little")
            + b'{"parts":[],"value":123}'
        ),
    )
    loaded = load(store)
    assert "it holds something else" in loaded.remarks[0]
    assert loaded.checkpoint.state.accumulated == "older"


def make_socket(path: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", "import socket; socket.socket(socket.AF_UNIX).bind('x.checkpoint')"],
        cwd=path.parent,
        check=True,
    )
    (path.parent / "x.checkpoint").rename(path)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.mkdir(),
        os.mkfifo,
        lambda path: path.symlink_to("0000000001.checkpoint"),
        lambda path: path.symlink_to(path),
        lambda path: path.symlink_to("/dev/zero"),
        make_socket,
    ],
    ids=["folder", "pipe", "link", "loop", "device", "socket"],
)
def test_what_is_no_file_is_said_and_never_waited_for(store, tmp_path, make):
    store.save(checkpoint("older"))
    make(tmp_path / "checkpoints" / "0000000007.checkpoint")
    loaded = load(store)
    assert loaded.checkpoint.state.accumulated == "older"
    (remark,) = loaded.remarks
    assert remark.startswith(f"Checkpoint {tmp_path}/checkpoints/0000000007.checkpoint ")
    store.save(checkpoint("newer"))
    store.save(checkpoint("newest"))
    assert load(store).checkpoint.state.accumulated == "newest"
    assert (
        len(
            [
                path
                for path in (tmp_path / "checkpoints").glob("*.checkpoint")
                if path.is_file() and not path.is_symlink()
            ]
        )
        == 2
    )


def test_a_file_that_cannot_be_read_is_said(store, tmp_path, monkeypatch):
    path = two(store, tmp_path)
    real = os.open

    def refusing(name, *args, **kwargs):
        if Path(name) == path:
            raise PermissionError(13, "Permission denied", str(name))
        return real(name, *args, **kwargs)

    monkeypatch.setattr("os.open", refusing)
    loaded = load(store)
    assert loaded.checkpoint.state.accumulated == "older"
    assert loaded.remarks == (f"Checkpoint {path} cannot be read: Permission denied.",)


def test_a_folder_that_is_none_is_said(store, tmp_path):
    (tmp_path / "checkpoints").touch()
    assert load(store).remarks == ("Checkpoints cannot be read: Not a directory.",)
    with pytest.raises(OSError, match="File exists"):
        store.save(checkpoint(1))


def test_a_state_folder_that_cannot_be_had_is_said():
    def no_folder() -> Path:
        message = "There is no home."
        raise ConfigError(message)

    store = CheckpointStore(no_folder)
    assert load(store).remarks == ("Checkpoints cannot be read: There is no home.",)
    with pytest.raises(ConfigError):
        store.save(checkpoint(1))


def test_more_than_is_allowed_is_refused(tmp_path):
    store = CheckpointStore(tmp_path, max_bytes=2_000)
    store.save(checkpoint("small"))
    with pytest.raises(
        CheckpointTooLarge,
        match=r"of run 7 would have [\d,]+ bytes, and no more than 2,000 are allowed: raise max_bytes",
    ):
        store.save(checkpoint(np.zeros(1000)))
    assert load(store).checkpoint.state.accumulated == "small"
    CheckpointStore(tmp_path).save(checkpoint(np.zeros(1000)))
    loaded = load(store)
    assert loaded.checkpoint.state.accumulated == "small"
    assert "max_bytes in [checkpoint] allows 2,000" in loaded.remarks[0]


def test_the_path_to_what_cannot_be_held_begins_with_what_plugins_know(store, tmp_path):
    with pytest.raises(
        NotStorable, match=r'cannot hold accumulated\["Q"\]: it is a checkpoint_support.Plain'
    ):
        store.save(checkpoint({"Q": Plain()}))
    with pytest.raises(NotStorable, match=r'cannot hold plugins\["tst"\]: it is'):
        store.save(checkpoint(1, plugins={"tst": Plain()}))
    assert not (tmp_path / "checkpoints").exists()


def test_a_full_disk_leaves_the_older_ones_whole(tmp_path):
    store = CheckpointStore(tmp_path)
    store.save(checkpoint("a"))
    store.save(checkpoint("b"))
    before = {path.name: path.read_bytes() for path in (tmp_path / "checkpoints").iterdir()}
    child = textwrap.dedent(
        """
        import resource, signal, sys
        from pathlib import Path
        import numpy as np
        from checkpoint_support import checkpoint
        from livered_core.reduction.checkpoint_store import CheckpointStore
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            CheckpointStore(Path(sys.argv[1])).save(checkpoint(np.ones(100_000)))
        except OSError as error:
            print(error.strerror)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", child, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=environment(),
    )
    assert done.stdout == "File too large\n"
    assert {path.name: path.read_bytes() for path in (tmp_path / "checkpoints").iterdir()} == before
    assert load(store).checkpoint.state.accumulated == "b"


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}


SAVING = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    import numpy as np
    from checkpoint_support import checkpoint
    from livered_core.reduction.checkpoint_store import CheckpointStore
    store = CheckpointStore(Path(sys.argv[1]))
    number = int(sys.argv[2])
    while True:
        number += 1
        store.save(checkpoint(np.full(200_000, number), number))
        print(number, flush=True)
    """
)


def test_a_process_that_is_killed_while_it_saves_leaves_a_whole_one(tmp_path):
    store = CheckpointStore(tmp_path)
    number = 0
    for turn in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVING, str(tmp_path), str(number)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        try:
            said = [int(process.stdout.readline()) for _ in range(2 + turn)]
            # In the middle of a save, as far as that can be seen from here.
            while turn % 2 and not files(tmp_path, ".*.partial"):
                pass
        finally:
            process.send_signal(signal.SIGKILL)
            rest = process.communicate()[0].split()
        said += [int(line) for line in rest]
        loaded = load(store)
        assert loaded.remarks == ()
        number = loaded.checkpoint.sequence
        assert number in (said[-1], said[-1] + 1), "what was said to be on the disk is on the disk"
        assert same(loaded.checkpoint.state.accumulated, np.full(200_000, number))
