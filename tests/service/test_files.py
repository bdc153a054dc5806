from __future__ import annotations

import pytest

from livered_core.errors import ConfigError
from livered_core.service.files import drop_ins, enable, is_enabled, remove_unit, unit_folder, write_unit
from livered_core.service.unit import MARKER

TEXT = MARKER + "\n[Unit]\n"


@pytest.fixture
def path(tmp_path):
    return unit_folder({"HOME": "/h", "XDG_CONFIG_HOME": str(tmp_path / "config")}) / "livered-nom.service"


def test_units_are_where_systemd_looks(tmp_path):
    assert str(unit_folder({"HOME": "/h"})) == "/h/.config/systemd/user"
    assert str(unit_folder({"HOME": "/h", "XDG_CONFIG_HOME": "/x"})) == "/x/systemd/user"


def test_a_unit_is_written_anew_and_drop_ins_stay(path):
    assert write_unit(path, TEXT) is True
    folder = path.parent / "livered-nom.service.d"
    folder.mkdir()
    (folder / "mine.conf").write_text("[Service]\n")
    assert write_unit(path, TEXT) is False
    assert write_unit(path, TEXT + "# new\n") is True
    assert path.read_text() == TEXT + "# new\n"
    assert not is_enabled(path)
    link = enable(path)
    assert link == path.parent / "default.target.wants" / path.name
    assert enable(path) == link
    assert link.readlink() == path
    assert is_enabled(path)
    assert drop_ins(path) == [folder / "mine.conf"]
    assert remove_unit(path) == [path, link]
    assert drop_ins(path) == [folder / "mine.conf"]
    assert remove_unit(path) == []


@pytest.mark.parametrize("there", ["[Unit]\n", "", b"\xff", "masked", "dangling"])
def test_a_file_of_someone_else_stays(path, there):
    path.parent.mkdir(parents=True)
    if there in ("masked", "dangling"):
        path.symlink_to("/dev/null" if there == "masked" else "/not/there")
    else:
        path.write_bytes(there if isinstance(there, bytes) else there.encode())
    for attempt in (lambda: write_unit(path, TEXT), lambda: remove_unit(path)):
        with pytest.raises(ConfigError, match="was not written by livered, so it stays as it is"):
            attempt()
    assert path.is_symlink() or path.read_bytes() in (b"[Unit]\n", b"", b"\xff")


def test_a_folder_that_cannot_be_written_is_said(path):
    path.parent.parent.mkdir(parents=True)
    path.parent.write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match=r"livered-nom\.service cannot be (read|written) \("):
        write_unit(path, TEXT)
