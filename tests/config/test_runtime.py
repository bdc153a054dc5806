import os
import stat
from pathlib import Path

import pytest

from livered_core.config import run_directory, state_directory
from livered_core.errors import ConfigError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_run_directory_is_private(tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    path = run_directory("NOM", environ)
    assert path == tmp_path / "livered" / "NOM"
    assert (mode(path), mode(path.parent)) == (0o700, 0o700)
    assert run_directory("NOM", environ) == path


@pytest.mark.parametrize("runtime", ["", "relative", "/no/such/folder"])
def test_without_a_runtime_folder_it_is_below_tmp(runtime: str, tmp_path: Path) -> None:
    path = run_directory("NOM", {"XDG_RUNTIME_DIR": runtime}, temporary=tmp_path)
    assert path == tmp_path / f"livered-{os.getuid()}" / "NOM"
    assert (mode(path), mode(path.parent)) == (0o700, 0o700)


def test_rights_that_others_have_to_read_are_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "livered" / "NOM"
    path.mkdir(parents=True)
    for folder in (path.parent, path):
        folder.chmod(0o755)
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    run_directory("NOM", environ, create=False)
    assert mode(path) == 0o755
    run_directory("NOM", environ)
    assert (mode(path), mode(path.parent)) == (0o700, 0o700)


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("which", ["livered", "livered/NOM"])
def test_symbolic_links_are_refused(which: str, create: bool, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "NOM").mkdir(parents=True, mode=0o700)
    root = tmp_path / "root"
    (root / which).parent.mkdir(parents=True, mode=0o700)
    (root / which).symlink_to(elsewhere)
    with pytest.raises(ConfigError, match=r"is a symbolic link, .* remove it"):
        run_directory("NOM", {"XDG_RUNTIME_DIR": str(root)}, create)
    assert list((elsewhere / "NOM").iterdir()) == []


@pytest.mark.parametrize("create", [True, False])
def test_folders_that_others_can_write_are_refused(create: bool, tmp_path: Path) -> None:
    (tmp_path / "livered").mkdir()
    (tmp_path / "livered").chmod(0o770)
    with pytest.raises(ConfigError, match="can be written by others"):
        run_directory("NOM", {"XDG_RUNTIME_DIR": str(tmp_path)}, create)
    assert mode(tmp_path / "livered") == 0o770


@pytest.mark.parametrize("create", [True, False])
def test_a_file_in_the_place_of_a_folder_is_refused(create: bool, tmp_path: Path) -> None:
    (tmp_path / "livered").write_text("")
    with pytest.raises(ConfigError, match="cannot be used"):
        run_directory("NOM", {"XDG_RUNTIME_DIR": str(tmp_path)}, create)


@pytest.mark.parametrize("create", [True, False])
def test_somebody_elses_folders_are_refused(
    create: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Needs no second account: to the code, the process is somebody else.
    somebody = os.getuid() + 1
    (tmp_path / f"livered-{somebody}").mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: somebody)
    with pytest.raises(ConfigError, match="belongs to another user"):
        run_directory("NOM", {}, create, tmp_path)
    with pytest.raises(ConfigError, match=r"XDG_RUNTIME_DIR names .* belongs to another user"):
        run_directory("NOM", {"XDG_RUNTIME_DIR": str(tmp_path)}, create)
    (tmp_path / "livered" / "NOM").mkdir(parents=True)
    with pytest.raises(ConfigError, match="belongs to another user"):
        state_directory("NOM", {"XDG_STATE_HOME": str(tmp_path)})


def test_a_reader_makes_nothing(tmp_path: Path) -> None:
    path = run_directory("NOM", {"XDG_RUNTIME_DIR": str(tmp_path)}, create=False)
    assert path == tmp_path / "livered" / "NOM"
    assert list(tmp_path.iterdir()) == []


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    run_directory("NOM", environ)
    before = len(list(Path("/proc/self/fd").iterdir()))
    run_directory("NOM", environ)
    run_directory("SNAP", environ, create=False)
    (tmp_path / "livered" / "NOM").chmod(0o777)
    with pytest.raises(ConfigError):
        run_directory("NOM", environ)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_state_directory(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert state_directory("NOM", {"XDG_STATE_HOME": str(state)}) == state / "livered" / "NOM"
    path = state_directory("NOM", {"HOME": str(tmp_path), "XDG_STATE_HOME": "relative"})
    assert path == tmp_path / ".local" / "state" / "livered" / "NOM"
    assert (mode(path), mode(path.parent)) == (0o700, 0o700)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be used"):
        state_directory("NOM", {"XDG_STATE_HOME": str(tmp_path / "file")})


@pytest.mark.parametrize("which", ["livered", "livered/NOM"])
def test_a_state_directory_that_others_can_write_is_refused_and_one_that_they_can_read_is_closed(
    which: str, tmp_path: Path
) -> None:
    environ = {"XDG_STATE_HOME": str(tmp_path)}
    state_directory("NOM", environ)
    (tmp_path / which).chmod(0o755)
    assert mode(state_directory("NOM", environ)) == 0o700
    assert mode(tmp_path / which) == 0o700
    (tmp_path / which).chmod(0o720)
    with pytest.raises(ConfigError, match=f"{which} can be written by others"):
        state_directory("NOM", environ)
    assert mode(tmp_path / which) == 0o720


def test_a_state_directory_may_be_a_link_to_a_larger_disk(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir(mode=0o755)
    (tmp_path / "livered").mkdir(mode=0o700)
    (tmp_path / "livered" / "NOM").symlink_to(tmp_path / "disk")
    path = state_directory("NOM", {"XDG_STATE_HOME": str(tmp_path)})
    assert path == tmp_path / "livered" / "NOM"
    assert mode(tmp_path / "disk") == 0o700


@pytest.mark.parametrize("name", ["..", "a/b", ""])
def test_the_name_cannot_lead_elsewhere(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="short instrument name"):
        run_directory(name, {"XDG_RUNTIME_DIR": str(tmp_path)})
    with pytest.raises(ConfigError, match="short instrument name"):
        state_directory(name, {"XDG_STATE_HOME": str(tmp_path)})
