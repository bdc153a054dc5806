from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from livered_core.errors import SinkRejected, SinkUnavailable
from livered_core.model import Curve, Result, RunInfo, SessionInfo, Update
from livered_core.publish.files import FilesPlugin, FilesSettings, folder_problem

NOON = 1_795_348_800 * 1_000_000_000
MakeUpdate = Callable[..., Update]


class FixedClock:
    def now_ns(self) -> int:
        return NOON

    def monotonic(self) -> float:
        return 0.0

    def wait(self, event: threading.Event, timeout: float) -> bool:
        return event.is_set()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def plugin(directory: Path | None, **settings: Any) -> FilesPlugin:
    return FilesPlugin(settings=FilesSettings(directory=directory, **settings), clock=FixedClock())


def session(output_dir: Path) -> SessionInfo:
    return SessionInfo("NOM", "native", "file", str(output_dir), 1, "8.8.8", {"nom": "7.7.7"})


def test_a_final_result_becomes_a_nexus_file_and_a_text_file_per_curve(
    tmp_path: Path, result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    h5py = pytest.importorskip("h5py", reason="NeXus files need h5py")
    folder = tmp_path / "new" / "folder"
    receipt = plugin(folder).post_publish(result, run, make_update())
    names = ["NOM_7.h5", "NOM_7_S_Q.dat", "NOM_7_bank_2_31_deg.dat"]
    assert names_in(folder) == names
    assert receipt is not None
    assert receipt.where == str(folder)
    assert receipt.when_ns == NOON
    assert receipt.size == sum((folder / name).stat().st_size for name in names)
    with h5py.File(folder / "NOM_7.h5", "r") as file:
        assert np.array_equal(file["entry/bank_2_31_deg/intensity"][()], result.curves[0].y)
    table = np.loadtxt(folder / "NOM_7_bank_2_31_deg.dat")
    assert np.array_equal(table[:, 2], result.curves[0].y)
    assert "# run: 7" in (folder / "NOM_7_S_Q.dat").read_text().splitlines()


def test_only_final_results_are_written_unless_asked(
    tmp_path: Path, result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    assert plugin(tmp_path / "a").post_publish(result, run, make_update(final=False)) is None
    assert not (tmp_path / "a").exists()
    every = plugin(tmp_path / "b", every_update=True, formats=("text",))
    assert every.post_publish(result, run, make_update(1, final=False)) is not None
    assert every.post_publish(result, run, make_update(2, final=False)) is not None
    assert "# update: 2" in (tmp_path / "b" / "NOM_7_S_Q.dat").read_text()


def test_the_session_s_folder_and_versions_are_used(
    tmp_path: Path, result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    sink = plugin(None, formats=("text",))
    with pytest.raises(SinkRejected, match="output_dir"):
        sink.post_publish(result, run, make_update())
    sink.session_started(session(tmp_path))
    sink.post_publish(result, run, make_update())
    assert "# versions: livered-core 8.8.8, nom 7.7.7" in (tmp_path / "NOM_7_S_Q.dat").read_text()


def test_the_configured_folder_goes_before_the_session_s(
    tmp_path: Path, result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    sink = plugin(tmp_path / "mine", formats=("text",))
    sink.session_started(session(tmp_path / "theirs"))
    sink.post_publish(result, run, make_update())
    assert names_in(tmp_path) == ["mine"]


def test_one_file_is_named_in_the_receipt(
    tmp_path: Path, result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    pytest.importorskip("h5py", reason="NeXus files need h5py")
    receipt = plugin(tmp_path, formats=("nexus",)).post_publish(result, run, make_update())
    assert names_in(tmp_path) == ["NOM_7.h5"]
    assert receipt is not None
    assert receipt.where == str(tmp_path / "NOM_7.h5")


def test_nothing_to_write_gives_no_receipt(tmp_path: Path, run: RunInfo, make_update: MakeUpdate) -> None:
    assert plugin(tmp_path, formats=("text",)).post_publish(Result(7, "r", ()), run, make_update()) is None


def test_hostile_names_stay_in_the_folder(tmp_path: Path, make_update: MakeUpdate) -> None:
    labels = ("../../escape", "/etc/passwd", "..", "a\x00b\n", "A\x00B", "x" * 5000)
    curves = [Curve(label, np.arange(2.0), np.ones(2), np.ones(2), "a", "b") for label in labels]
    folder = tmp_path / "deep" / "folder"
    plugin(folder, formats=("text",)).post_publish(
        Result(7, "r", curves), RunInfo(7, "../NOM"), make_update()
    )
    assert names_in(folder) == [
        "NOM_7_A_B_2.dat",
        "NOM_7_a_b.dat",
        "NOM_7_curve.dat",
        "NOM_7_escape.dat",
        "NOM_7_etc_passwd.dat",
        f"NOM_7_{'x' * 80}.dat",
    ]
    assert names_in(tmp_path) == ["deep"]


def test_a_folder_that_cannot_be_made_is_told(
    tmp_path: Path, result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkUnavailable, match=r"run 7 cannot be written to .*file/sub \(Not a directory\)"):
        plugin(tmp_path / "file" / "sub").post_publish(result, run, make_update())


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    """A folder that this process may not write; root becomes nobody for the test."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "NOM_7.h5").write_bytes(b"old")
        folder.chmod(0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            places = (Path(sys.prefix), Path(__file__))
            if not all(os.access(place, os.R_OK, effective_ids=True) for place in places):
                pytest.skip("root gives up its rights for this test, and nobody else may read this checkout")
            yield folder
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)


def test_a_read_only_folder_is_told_and_untouched(
    read_only_folder: Path, result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    with pytest.raises(SinkUnavailable, match="Permission denied"):
        plugin(read_only_folder).post_publish(result, run, make_update())
    assert names_in(read_only_folder) == ["NOM_7.h5"]
    assert (read_only_folder / "NOM_7.h5").read_bytes() == b"old"


def test_a_full_disk_is_told_and_old_files_stay(tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="NeXus files need h5py")
    code = """
import pathlib, resource, sys
import numpy as np
from livered_core.errors import SinkUnavailable
from livered_core.model import Curve, Result, RunInfo, Update
from livered_core.publish.files import FilesPlugin, FilesSettings

def publish(scale):
    ones = np.full(6000, scale)
    result = Result(7, "r", [Curve("c", np.arange(6000.0), ones, ones, "a", "b")])
    update = Update(
        sequence=1,
        final=True,
        n_chunks=1,
        n_pulses=1,
        n_events=1,
        proton_charge_pc=1.0,
        first_pulse_ns=0,
        last_pulse_ns=0,
        skipped_chunks=0,
        skipped_events=0,
        dropped_chunks=0,
        dropped_events=0,
        complete=True,
        missing=(),
        lag_ns=0,
    )
    sink = FilesPlugin(settings=FilesSettings(directory=pathlib.Path(sys.argv[1]), formats=(sys.argv[2],)))
    return sink.post_publish(result, RunInfo(7, "NOM"), update)

publish(1.0)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, resource.RLIM_INFINITY))
try:
    publish(2.0)
except SinkUnavailable as error:
    print(error)
"""
    for kind, name in (("nexus", "NOM_7.h5"), ("text", "NOM_7_c.dat")):
        folder = tmp_path / kind
        done = subprocess.run(
            [sys.executable, "-c", code, folder, kind],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "(File too large): free or open that folder" in done.stdout, done.stderr
        assert names_in(folder) == [name]
        if kind == "text":
            assert np.all(np.loadtxt(folder / name)[:, 1] == 1.0)
        else:
            import h5py

            with h5py.File(folder / name, "r") as file:
                assert np.all(file["entry/c/y"][()] == 1.0)


def test_without_h5py_text_is_written_and_the_rest_told(
    tmp_path: Path, result: Result, run: RunInfo, make_update: MakeUpdate, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "h5py" else real(name))
    sink = plugin(tmp_path)
    assert sink.check() == [
        "NeXus files need h5py, which is not installed: pip install 'livered-core[native]', "
        'or set formats = ["text"] in [plugins.files].'
    ]
    with pytest.raises(SinkRejected, match="h5py"):
        sink.post_publish(result, run, make_update())
    assert names_in(tmp_path) == ["NOM_7_S_Q.dat", "NOM_7_bank_2_31_deg.dat"]
    assert plugin(tmp_path, formats=("text",)).check() == []


def test_check_looks_at_the_folder_and_creates_nothing(tmp_path: Path, read_only_folder: Path) -> None:
    assert folder_problem(read_only_folder / "a") is not None
    [problem] = plugin(read_only_folder / "a", formats=("text",)).check()
    assert "does not let you write" in problem


def test_check_is_content_with_a_folder_that_can_be_made(tmp_path: Path) -> None:
    assert plugin(tmp_path / "a" / "b", formats=("text",)).check() == []
    assert names_in(tmp_path) == []
    (tmp_path / "file").write_text("")
    [problem] = plugin(tmp_path / "file" / "a", formats=("text",)).check()
    assert "is not a folder" in problem
    assert plugin(None, formats=("text",)).check() == []


@pytest.mark.parametrize("formats", [(), ("pdf",), ("text", "text")])
def test_wrong_formats_are_refused(formats: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"^formats must name each of nexus and text"):
        FilesSettings(formats=formats)  # type: ignore[arg-type]


def test_settings_hold_what_they_are_given() -> None:
    settings = FilesSettings(formats=["text"])  # type: ignore[arg-type]
    assert settings.formats == ("text",)
    assert {field.name for field in attrs.fields(FilesSettings) if "help" in field.metadata} == {
        "formats",
        "directory",
        "every_update",
    }


def test_the_module_leaves_h5py_for_later() -> None:
    code = "import sys, livered_core.publish.files; print('h5py' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "False\n"
