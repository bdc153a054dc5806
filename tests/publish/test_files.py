from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import attrs
import numpy as np
import pytest

from livered_core.config import Layer
from livered_core.config.layers import merge
from livered_core.config.structure import structure
from livered_core.errors import ConfigError, SinkRejected, SinkUnavailable
from livered_core.model import Curve, Image, Result, RunInfo, SessionInfo, Update
from livered_core.publish.files import FilesPlugin
from livered_core.publish.files_settings import FilesSettings, folder_problem

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NOON = 1_795_348_800 * 1_000_000_000
MakeUpdate = Callable[..., Update]


class SetClock:
    """Stands at noon; seconds pass when a test says so."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now_ns(self) -> int:
        return NOON + round(self.passed_s * 1e9)

    def monotonic(self) -> float:
        return self.passed_s

    def wait(self, event: threading.Event, timeout: float) -> bool:
        return event.is_set()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def plugin(directory: Path | None, **settings: Any) -> FilesPlugin:
    return FilesPlugin(settings=FilesSettings(directory=directory, **settings), clock=SetClock())


def session(output_dir: Path) -> SessionInfo:
    return SessionInfo("NOM", "native", "file", str(output_dir), 1, "8.8.8", {"nom": "7.7.7"})


def test_a_final_result_becomes_a_nexus_file_a_report_and_a_text_file_per_curve(
    tmp_path: Path, result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    h5py = pytest.importorskip("h5py", reason="NeXus files need h5py")
    folder = tmp_path / "new" / "folder"
    receipt = plugin(folder).post_publish(result, run, make_update())
    names = ["NOM_7.h5", "NOM_7.html", "NOM_7_S_Q.dat", "NOM_7_bank_2_31_deg.dat"]
    assert names_in(folder) == names
    assert receipt is not None
    assert receipt.where == str(folder)
    assert receipt.when_ns == NOON
    assert receipt.size == sum((folder / name).stat().st_size for name in names)
    assert sorted(receipt.files) == [str(folder / name) for name in names]
    report = (folder / "NOM_7.html").read_text()
    assert re.findall(r'href="([^"]*)"', report) == ["NOM_7.h5", "NOM_7_bank_2_31_deg.dat", "NOM_7_S_Q.dat"]
    with h5py.File(folder / "NOM_7.h5", "r") as file:
        assert np.array_equal(file["entry/bank_2_31_deg/intensity"][()], result.curves[0].y)
    table = np.loadtxt(folder / "NOM_7_bank_2_31_deg.dat")
    assert np.array_equal(table[:, 1], result.curves[0].y)
    assert "# run: 7" in (folder / "NOM_7_S_Q.dat").read_text().splitlines()


def other(result: Result, scale: float) -> Result:
    """The same, with more counts."""
    curves = [attrs.evolve(curve, y=curve.y * scale) for curve in result.curves]
    return attrs.evolve(result, curves=curves)


def test_only_final_results_are_written_unless_asked(
    tmp_path: Path, result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    assert plugin(tmp_path / "a").post_publish(result, run, make_update(final=False)) is None
    assert not (tmp_path / "a").exists()


def test_a_run_that_goes_on_is_written_as_often_as_asked(
    tmp_path: Path, result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    sink = plugin(tmp_path, every=60.0, formats=("text",))
    clock = cast(SetClock, sink.clock)

    def written(sequence: int, seconds: float, shown: Result, *, final: bool = False) -> bool:
        clock.passed_s = seconds
        receipt = sink.post_publish(shown, run, make_update(sequence, final=final))
        text = (tmp_path / "NOM_7_S_Q.dat").read_text()
        assert (receipt is not None) == (f"# update: {sequence}\n" in text)
        return receipt is not None

    assert written(1, 0.0, other(result, 1))
    assert not written(2, 59.9, other(result, 2))
    assert written(3, 60.0, other(result, 3))
    assert not written(4, 119.0, other(result, 4))
    # Counted from what was written, and never for a result that shows nothing new.
    assert not written(5, 500.0, other(result, 3))
    assert written(6, 501.0, other(result, 6))
    # The final one always: at once, and when it shows nothing new.
    assert written(7, 502.0, other(result, 6), final=True)
    # The first of another run at once.
    receipt = sink.post_publish(result, attrs.evolve(run, number=8), make_update(1, final=False))
    assert receipt is not None


def test_anything_that_a_result_shows_is_news(
    tmp_path: Path, result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    image = Image("i", [0.0, 1], [0.0, 1, 2], [[1.0], [2.0]], "m", "s", "counts")
    result = attrs.evolve(result, images=(image,))
    first, last = result.curves
    changed = [
        attrs.evolve(result, title="another"),
        attrs.evolve(result, metadata={"strongest": "bank 3"}),
        attrs.evolve(result, curves=(first,)),
        attrs.evolve(result, curves=(first, attrs.evolve(last, label="another"))),
        attrs.evolve(result, curves=(first, attrs.evolve(last, e=last.e * 2))),
        attrs.evolve(result, curves=(first, attrs.evolve(last, x=last.x + 1))),
        attrs.evolve(result, curves=(first, attrs.evolve(last, metadata={"n": float("nan")}))),
        attrs.evolve(result, images=(attrs.evolve(image, z=np.asfortranarray(image.z * 2)),)),
        attrs.evolve(result, images=(attrs.evolve(image, y_unit="h"),)),
    ]
    for another in changed:
        sink = plugin(tmp_path, every=0.5, formats=("text",))
        for shown, news in ((result, True), (attrs.evolve(result), False), (another, True), (another, False)):
            cast(SetClock, sink.clock).passed_s += 1.0
            assert (sink.post_publish(shown, run, make_update(final=False)) is not None) == news


def test_a_write_that_failed_is_due_at_once(
    tmp_path: Path, result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    blocker = tmp_path / "there"
    blocker.write_text("")
    sink = plugin(blocker, every=60.0, formats=("text",))
    with pytest.raises(SinkUnavailable):
        sink.post_publish(result, run, make_update(final=False))
    blocker.unlink()
    assert sink.post_publish(result, run, make_update(final=False)) is not None


def test_files_of_an_earlier_result_of_the_run_do_not_stay(
    tmp_path: Path, result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    """A curve that is gone, and a proposal that came to be known."""
    sink = plugin(tmp_path / "{proposal}", every=1.0, formats=("text",))
    sink.post_publish(result, attrs.evolve(run, proposal=""), make_update(final=False))
    (tmp_path / "no-proposal" / "NOM_7_mine.dat").write_text("of somebody else")
    sink.post_publish(attrs.evolve(result, curves=result.curves[:1]), run, make_update(2))
    assert names_in(tmp_path / "IPTS-1") == ["NOM_7_bank_2_31_deg.dat"]
    assert names_in(tmp_path / "no-proposal") == ["NOM_7_mine.dat"]
    sink.post_publish(result, attrs.evolve(run, number=8), make_update(3))
    assert len(names_in(tmp_path / "IPTS-1")) == 3


def test_folder_and_name_follow_the_run(
    tmp_path: Path, result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    sink = plugin(
        tmp_path / "{instrument}" / "{proposal}" / "shared",
        name="{run}-{instrument}_live",
        formats=("html",),
    )
    receipt = sink.post_publish(result, run, make_update())
    where = str(tmp_path / "NOM" / "IPTS-1" / "shared" / "7-NOM_live.html")
    assert receipt is not None
    assert (receipt.where, receipt.files) == (where, (where,))
    hostile = attrs.evolve(run, instrument="../..", proposal="/../../etc")
    receipt = sink.post_publish(result, hostile, make_update())
    assert receipt is not None
    assert receipt.where == str(tmp_path / "instrument" / "etc" / "shared" / "7-instrument_live.html")
    assert names_in(tmp_path) == ["NOM", "instrument"]


def test_what_a_killed_process_left_is_removed(
    tmp_path: Path, result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    sink = plugin(tmp_path, formats=("html",))
    old, young = tmp_path / f".{'a' * 16}.partial", tmp_path / f".{'b' * 16}.partial"
    for path, age_s in ((old, 3700), (young, 3500)):
        path.write_bytes(b"half")
        os.utime(path, ns=(NOON - age_s * 1_000_000_000,) * 2)
    sink.post_publish(result, run, make_update())
    assert names_in(tmp_path) == [young.name, "NOM_7.html"]


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
    with pytest.raises(
        SinkUnavailable, match=r"\(Permission denied\): let livered write there, or set another"
    ):
        plugin(read_only_folder).post_publish(result, run, make_update())
    assert names_in(read_only_folder) == ["NOM_7.h5"]
    assert (read_only_folder / "NOM_7.h5").read_bytes() == b"old"


CHILD = """
import pathlib, resource, sys
import numpy as np
import hooks_support
from livered_core.errors import SinkUnavailable
from livered_core.model import Curve, Result, RunInfo
from livered_core.publish.files import FilesPlugin, FilesSettings

def publish(scale, number=7):
    ones = np.full(3000, scale)
    curves = [Curve(name, np.arange(3000.0), ones, ones, "a", "b") for name in "cde"]
    settings = FilesSettings(directory=pathlib.Path(sys.argv[1]))
    sink = FilesPlugin(settings=settings)
    return sink.post_publish(Result(7, "r", curves), RunInfo(number, "NOM"), hooks_support.update(final=True))

def attempt(number=7):
    try:
        publish(2.0, number)
    except SinkUnavailable as error:
        print(error)
"""
SET = ["NOM_7.h5", "NOM_7.html", "NOM_7_c.dat", "NOM_7_d.dat", "NOM_7_e.dat"]


def child(*command: str, code: str) -> str:
    tests = str(Path(__file__).parents[1])
    done = subprocess.run(
        [*command[:-1], sys.executable, "-c", CHILD + code, command[-1]],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": tests},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def are_old(folder: Path) -> bool:
    """Tell whether the whole set of files is that of the first result."""
    h5py = pytest.importorskip("h5py", reason="NeXus files need h5py")
    assert names_in(folder) == SET
    with h5py.File(folder / "NOM_7.h5", "r") as file:
        found = [np.unique(file[f"entry/{name}/y"][()]).tolist() for name in "cde"]
    found += [np.unique(np.loadtxt(folder / name)[:, 1]).tolist() for name in SET[2:]]
    return found == [[1.0]] * 6


def test_a_file_that_may_not_grow_leaves_the_whole_set_of_old_ones(tmp_path: Path) -> None:
    """The columns of text would still have their place: the NeXus file is larger than them."""
    pytest.importorskip("h5py", reason="NeXus files need h5py")
    said = child(
        str(tmp_path),
        code="""
publish(1.0)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
attempt()
""",
    )
    assert re.search(
        r"run 7 cannot be written to .* \(File too large\): make room there, or set another", said
    )
    assert are_old(tmp_path)


def test_a_disk_that_fills_up_leaves_the_whole_set_of_old_ones(tmp_path: Path) -> None:
    """On a file system of its own, in a namespace that ends with the child."""
    pytest.importorskip("h5py", reason="NeXus files need h5py")
    alone = (
        ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    )
    place = tmp_path / "small"
    place.mkdir()
    mount = f"mount -t tmpfs -o size=1200k tmpfs '{place}'"
    if shutil.which("unshare") is None or subprocess.run([*alone, "sh", "-c", mount], check=False).returncode:
        pytest.skip("needs the right to mount a file system of its own")
    kept = tmp_path / "kept"
    said = child(
        *(*alone, "sh", "-c", f'{mount} && exec "$@"', "sh", str(place)),
        code=f"""
import os, shutil
publish(1.0)
# Room for the columns of text of another result, and not for its NeXus file.
used = shutil.disk_usage(sys.argv[1])
with open(sys.argv[1] + "/filler", "wb") as filler:
    filler.write(bytes(used.free - 350_000))
attempt()
attempt(8)
os.unlink(sys.argv[1] + "/filler")
shutil.copytree(sys.argv[1], {str(kept)!r})
attempt(8)
print(*sorted(os.listdir(sys.argv[1])))
os.system("mount -o remount,ro '" + sys.argv[1] + "'")
attempt()
""",
    )
    told, again, later, read_only = said.splitlines()
    assert "(Read-only file system): let livered write there, or set another directory" in read_only
    for line in (told, again):
        assert (
            "(No space left on device): make room there, or set another directory in [plugins.files]." in line
        )
    assert are_old(kept)
    # With room, the same sink goes on.
    assert later.split() == [*SET, *(name.replace("7", "8") for name in SET)]


def test_one_file_after_the_other_is_in_memory(tmp_path: Path, run: RunInfo, make_update: MakeUpdate) -> None:
    def peak(n_curves: int) -> int:
        values = np.random.default_rng(1).uniform(size=1500)
        curves = [Curve(f"c{i}", np.arange(1500.0), values, values, "a", "b") for i in range(n_curves)]
        result = Result(7, "r", curves)
        tracemalloc.start()
        try:
            assert plugin(tmp_path, formats=("text",)).post_publish(result, run, make_update()) is not None
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(12) < 1.5 * peak(2)


def test_without_h5py_text_is_written_and_the_rest_told_once(
    tmp_path: Path, result: Result, run: RunInfo, make_update: MakeUpdate, monkeypatch, caplog
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "h5py" else real(name))
    sink = plugin(tmp_path)
    assert sink.check() == [
        "NeXus files need h5py, which is not installed: pip install 'livered-core[native]', "
        'or set formats = ["text", "html"] in [plugins.files].'
    ]
    for _ in range(2):
        receipt = sink.post_publish(result, run, make_update())
        assert receipt is not None
        assert len(receipt.files) == 3
    assert names_in(tmp_path) == ["NOM_7.html", "NOM_7_S_Q.dat", "NOM_7_bank_2_31_deg.dat"]
    [line] = [each.getMessage() for each in caplog.records if "h5py" in each.getMessage()]
    assert line.endswith("The other files are written.")
    with pytest.raises(SinkRejected, match="h5py"):
        plugin(tmp_path, formats=("nexus",)).post_publish(result, run, make_update())
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


def test_check_looks_at_the_folders_above_the_first_field(tmp_path: Path, read_only_folder: Path) -> None:
    # What the fields stand for may be there, made by others.
    assert folder_problem(read_only_folder / "{instrument}" / "shared") is None
    [problem] = plugin(read_only_folder / "a" / "{proposal}").check()
    assert "does not let you write" in problem
    [problem] = plugin(read_only_folder / "NOM_7.h5" / "{proposal}").check()
    assert "is not a folder" in problem


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (
            {"formats": ()},
            "must name each of nexus, text, html, mantid at most once, and one of them, not []",
        ),
        ({"formats": ("pdf",)}, "must name each of nexus, text, html"),
        ({"formats": ("text", "text")}, "must name each of nexus, text, html"),
        ({"directory": Path("/a/{ipts}")}, "must have no other fields than {instrument}, {run}, {proposal}"),
        ({"name": "{instrument}"}, "must have {run} in it, or directory must"),
        ({"name": "{run}/x"}, "must be letters, digits, - and _"),
        ({"every": -1.0}, "must be 0 or more"),
    ],
)
def test_wrong_settings_are_refused(setting: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        FilesSettings(**setting)


def test_one_folder_for_each_run_needs_no_run_in_the_name(tmp_path: Path) -> None:
    assert FilesSettings(directory=tmp_path / "{run}", name="curves").name == "curves"


def test_settings_hold_what_they_are_given() -> None:
    assert FilesSettings(formats=["text"]).formats == ("text",)  # type: ignore[arg-type]
    assert all(field.metadata["help"] for field in attrs.fields(FilesSettings))


def test_a_configuration_may_hold_templates(tmp_path: Path) -> None:
    text = """
    [plugins.files]
    directory = "${BASE}/{instrument}/{proposal}"
    name = "{run}_live"
    every = 600
    """
    settings = configured(text, {"BASE": str(tmp_path)})
    assert settings == FilesSettings(
        directory=tmp_path / "{instrument}" / "{proposal}", name="{run}_live", every=600.0
    )


def test_a_wrong_configuration_is_said_at_the_start() -> None:
    text = """
    [plugins.files]
    directory = "/data/{beamline}"
    name = "{instrument}"
    every = -1
    """
    with pytest.raises(ConfigError) as caught:
        configured(text, {})
    assert len(caught.value.problems) == 2
    assert "plugins.files.directory (my.toml) must have no other fields" in str(caught.value)
    assert "plugins.files.every (my.toml) must be 0 or more" in str(caught.value)
    with pytest.raises(ConfigError, match=r"plugins\.files.*must have \{run\} in it"):
        configured('[plugins.files]\nname = "{instrument}"', {})


def configured(text: str, environ: dict[str, str]) -> FilesSettings:
    values = {"instrument": "NOM", **tomllib.loads(textwrap.dedent(text))}
    config = structure(merge([Layer("my.toml", values, Path("/etc"))]), {"files": FilesSettings}, environ)
    settings = config.plugins["files"]
    assert isinstance(settings, FilesSettings)
    return settings


@pytest.mark.parametrize(
    ("directory", "name", "file", "could"),
    [
        (None, "{instrument}_{run}", "out/NOM_12.h5", True),
        (None, "{instrument}_{run}", "out/NOM_12.html", True),
        (None, "{instrument}_{run}", "out/NOM_12_bank_1.dat", True),
        (None, "{instrument}_{run}", "out/NOM_12.nxs.h5", False),
        (None, "{instrument}_{run}", "out/PG3_12.h5", False),
        (None, "{instrument}_{run}", "NOM_12.h5", False),
        ("other/{proposal}", "{run}", "other/IPTS-7/12.h5", True),
        ("other/{proposal}", "{run}", "other/12.h5", False),
        ("link/{proposal}", "{run}", "out/IPTS-7/12.h5", True),
    ],
)
def test_a_file_that_could_be_written_over_is_known(
    tmp_path: Path, directory: str | None, name: str, file: str, could: bool
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "out")
    settings = FilesSettings(directory=None if directory is None else tmp_path / directory, name=name)
    assert settings.could_write(tmp_path / file, "NOM", tmp_path / "out") == could


def test_the_module_leaves_h5py_for_later() -> None:
    code = "import sys, livered_core.publish.files; print('h5py' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "False\n"
