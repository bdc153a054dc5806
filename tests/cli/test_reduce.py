"""``livered reduce``: the real program over files that are good, bad, cut off, of nobody, or in the way."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from adara_support import START, banked, end_run, new_run, run_info
from livered_core.adara import BeamlineInfo, RunDetails, RunInfoPacket, run_info_xml
from livered_core.cli import main
from livered_core.cli.signals import StopSignals
from livered_support import livered, started
from nexus_support import write_nexus
from recording_support import run_packets, to_bytes
from waiting import until

PULSES = [[(1, 100), (2, 200)], [], [(3, 300)]] * 20
GATED = """
    import os
    import threading
    from pathlib import Path

    from livered_core import Curve, Result, hookimpl

    class Gated:
        @hookimpl
        def process_chunk(self, chunk):
            gate = os.environ.get("GATE")
            if gate:
                Path(gate + ".reached").touch()
                while not Path(gate).exists():
                    threading.Event().wait(0.02)
            return chunk.n_events

        @hookimpl
        def post_process(self, accumulated, run):
            return Result(run.number, run.title, (Curve("sum", [0.0], [accumulated], [0.0], "one", "one"),))
"""


def sentences(result) -> list[str]:
    """The lines on stderr that say what went wrong."""
    assert "Traceback" not in result.stderr + result.stdout
    return [line for line in result.stderr.splitlines() if line.startswith("livered: ")]


def reduced(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "out").glob("*.dat"))


@pytest.fixture
def reduce(tmp_path: Path, tst, monkeypatch, capsys):
    """Reduce files of the folder to ``out``, in this process: what is said, and the exit code."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(StopSignals, "install", lambda _: None)

    def reduce(*arguments: object, **environment: str):
        for name, value in {**tst(), **environment}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["livered", "reduce", "-o", "out", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code
        return subprocess.CompletedProcess(arguments, int(code or 0), said.out, said.err)

    yield reduce
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)
    logging.getLogger("livered_core").setLevel(logging.NOTSET)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "five.adara"
    path.write_bytes(to_bytes(run_packets(5)))
    return path


def test_each_file_gives_a_line_and_its_files_and_sinks_are_left_out(tmp_path, reduce, good):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "m00000001-f00000001-run-6.adara").write_bytes(to_bytes(run_packets(6, first=200, n=10)))
    write_nexus(tmp_path / "run.nxs.h5", {"bank1_events": PULSES}, [18_000_000] * 60)
    result = reduce("-i", "TST", "five.adara", "folder", "run.nxs.h5")
    assert result.returncode == 0, result
    assert "Left out: sink. With --publish they get the results, too." in result.stderr
    assert sentences(result) == []
    where = re.escape(f"{tmp_path}/out/TST_")
    five, six, nexus = result.stdout.splitlines()
    line = rf"curves, complete, \d+\.\d s; files: {where}"
    assert re.fullmatch(
        rf"five\.adara: run 5, 30 events in 20 pulses, 0\.000 uAh, 1 {line}5_sum.*\.dat", five
    )
    assert re.fullmatch(rf"folder: run 6, 13 events in 10 pulses, 0\.000 uAh, 1 {line}6_sum.*\.dat", six)
    assert re.fullmatch(
        rf"run\.nxs\.h5: run 1234, 60 events in 60 pulses, 0\.300 uAh, 1 {line}1234_sum.*\.dat", nexus
    )
    assert [name[:5] for name in reduced(tmp_path)] == ["TST_1", "TST_5", "TST_6"]
    assert not list((tmp_path / "run").iterdir())


def test_a_recording_in_several_files_is_one_whatever_the_shell_makes_of_it(tmp_path, reduce, good):
    data = good.read_bytes()
    middle = len(to_bytes(run_packets(5)[:12]))
    good.write_bytes(data[:middle])
    (tmp_path / "five.0002.adara").write_bytes(data[middle:])
    result = reduce("-i", "TST", "five.0002.adara", "five.adara")
    assert result.returncode == 0, result
    (line,) = result.stdout.splitlines()
    assert line.startswith("five.adara: run 5, 30 events in 20 pulses")


def test_the_instrument_is_what_the_file_says(tmp_path, reduce, good):
    result = reduce("five.adara", "--publish")
    assert (result.returncode, sentences(result)) == (0, [])
    assert "Left out" not in result.stderr
    assert "sink: there" in result.stdout
    beamline = BeamlineInfo(time_ns=START, beamline_id="x", short_name="XYZ", long_name="xylophone")
    good.write_bytes(to_bytes([beamline, *run_packets(5)]))
    named = BeamlineInfo(time_ns=START, beamline_id="x", short_name="unheard of", long_name="tst")
    (tmp_path / "long.adara").write_bytes(to_bytes([named, *run_packets(6)]))
    silent = RunInfoPacket(time_ns=START, xml=run_info_xml(RunDetails(run_number=7)))
    (tmp_path / "silent.adara").write_bytes(to_bytes([new_run(7), silent, banked(0), end_run(7)]))
    result = reduce("five.adara", "silent.adara", "long.adara")
    assert result.returncode == 1
    unknown, unsaid = sentences(result)
    assert unknown.startswith("livered: five.adara is of an instrument that cannot be reduced here. Unknown ")
    assert "'XYZ'" in unknown
    assert unsaid == "livered: silent.adara does not say of which instrument it is: say it with --instrument."
    assert result.stdout.startswith("long.adara: run 6, ")
    result = reduce("-i", "TST", "five.adara", "silent.adara")
    assert (result.returncode, sentences(result)) == (0, [])
    assert "five.adara says that it is of 'XYZ' or 'xylophone'" in result.stderr


def test_bad_files_are_said_and_the_others_go_on(tmp_path, reduce, good):
    (tmp_path / "page.nxs.h5").write_text("<!DOCTYPE html><html>not found</html>")
    (tmp_path / "noise.adara").write_bytes(b"\xee" * 5000)
    (tmp_path / "empty.adara").touch()
    (tmp_path / "loop.adara").symlink_to(tmp_path / "loop.adara")
    (tmp_path / "nothing").mkdir()
    write_nexus(tmp_path / "whole.nxs.h5", {"bank1_events": PULSES})
    whole = (tmp_path / "whole.nxs.h5").read_bytes()
    (tmp_path / "cut.nxs.h5").write_bytes(whole[: len(whole) // 2])
    bad = ["page.nxs.h5", "noise.adara", "empty.adara", "loop.adara", "nothing", "cut.nxs.h5"]
    result = reduce(*bad, "five.adara")
    assert result.returncode == 1
    said = sentences(result)
    assert len(said) == len(bad)
    for name, sentence in zip(bad, said, strict=True):
        assert name in sentence
    assert "page.nxs.h5 is neither a NeXus event file nor a recording of an ADARA stream." in said[0]
    assert "symbolic links" in said[3]
    assert result.stdout.startswith("five.adara: run 5, 30 events")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_that_may_not_be_read_is_said(reduce, good):
    good.chmod(0)
    result = reduce("five.adara")
    assert result.returncode == 1
    assert sentences(result)[0].startswith("livered: five.adara cannot be read (Permission denied)")


def test_wrong_use_is_exit_code_2_before_anything_is_done(tmp_path, reduce, good):
    for arguments, sentence in (
        (("five.adara", "six.adara", "five.adara/x"), "There is no file six.adara"),
        (("five.adara", "-i", "TTS"), r"Unknown instrument 'TTS' \(did you mean TST\?\)"),
        (("five.adara", "-o", "five.adara/out"), "five.adara is not a folder"),
        (("five.adara", "--config", "no.toml"), "no.toml"),
    ):
        result = reduce(*arguments)
        assert result.returncode == 2, result
        assert re.search(sentence, "\n".join(sentences(result)))
        assert result.stdout == ""
    assert reduce("five.adara", "--nonsense").returncode == 2
    assert reduce("five.adara", "--workers", "-1").returncode == 2
    assert reduce().returncode == 2
    assert not (tmp_path / "out").exists()


def test_workers_are_not_started_for_a_plugin_that_does_not_say_that_it_may(reduce, good):
    for arguments, environment in (
        (("--workers", "2"), {}),
        ((), {"LIVERED_ENGINE__EXECUTOR": "dask"}),
    ):
        result = reduce("five.adara", *arguments, **environment)
        assert result.returncode == 2, result
        assert "does not say that its process_chunk may run in another process" in sentences(result)[0]
        assert "worker" not in result.stderr.replace("workers of its own", "")
        assert result.stdout == ""


SESSIONS = """
    from livered_core import Curve, Result, hookimpl

    class Lasting:
        {marked}

        def __init__(self):
            self.sessions = 0

        @hookimpl
        def session_started(self, session):
            self.sessions += 1

        @hookimpl
        def process_chunk(self, chunk, run):
            if run.number == 6:
                raise SystemExit("it ends")
            return chunk.n_events

        @hookimpl
        def post_process(self, accumulated, run):
            return Result(run.number, run.title, (Curve("n", [0.0], [float(self.sessions)], [0.0], "one", "one"),))
"""


@pytest.mark.parametrize(("marked", "sessions"), [("many_sessions = True", [1, 2, 4]), ("", [1, 1, 1])])
def test_an_instance_serves_all_files_where_its_plugin_says_so(tmp_path, reduce, install, marked, sessions):
    name = f"lasting{len(marked)}"
    install(
        f"livered-{name}",
        {f"{name}.py": SESSIONS.format(marked=marked)},
        {"livered.instruments": [f"{name.upper()} = {name}:Lasting"]},
    )
    files = [f"{run}.adara" for run in (4, 5, 6, 7)]
    for run, file in enumerate(files, 4):
        (tmp_path / file).write_bytes(to_bytes(run_packets(run)))
    reduce("-i", name.upper(), *files)
    made = [(tmp_path / "out" / file).read_text().splitlines()[-1].split()[1] for file in reduced(tmp_path)]
    assert [float(each) for each in made] == sessions


def test_what_is_cut_off_is_reduced_and_said_to_be_incomplete(tmp_path, reduce, good):
    good.write_bytes(to_bytes(run_packets(5)[:-1])[:-40])
    result = reduce("five.adara")
    assert result.returncode == 1
    assert re.match(r"five\.adara: run 5, 27 events in 19 pulses, .* INCOMPLETE, ", result.stdout)
    (sentence,) = sentences(result)
    assert sentence.startswith("livered: five.adara: run 5 is INCOMPLETE: ")
    assert "The recording ends before the run does: what came later is not in it." in sentence
    (name,) = reduced(tmp_path)
    assert "The recording ends before the run does" in (tmp_path / "out" / name).read_text()


def test_runs_of_a_file_have_a_line_each_also_without_events_or_pulses(tmp_path, reduce, good):
    dark = [new_run(6), run_info(6), *(banked(i, pixels=[]) for i in range(100, 110)), end_run(6)]
    good.write_bytes(to_bytes([*run_packets(5), *dark]))
    (tmp_path / "none.adara").write_bytes(to_bytes([new_run(7), run_info(7), end_run(7)]))
    result = reduce("five.adara", "none.adara")
    assert result.returncode == 1
    five, six = result.stdout.splitlines()
    assert five.startswith("five.adara: run 5, 30 events in 20 pulses")
    assert six.startswith("five.adara: run 6, 0 events in 10 pulses")
    (sentence,) = sentences(result)
    assert sentence.startswith("livered: none.adara: No result was made")


def test_what_becomes_known_of_a_run_in_the_middle_is_in_its_files(tmp_path, reduce, good):
    *pulses, end = run_packets(5)
    good.write_bytes(to_bytes([*pulses, run_info(5, title="platinum"), banked(50), end]))
    assert reduce("five.adara").returncode == 0
    assert "# run title: platinum" in (tmp_path / "out" / reduced(tmp_path)[0]).read_text()


def test_a_run_is_not_written_over_in_one_command(tmp_path, reduce, good):
    (tmp_path / "again.adara").write_bytes(to_bytes(run_packets(5, n=10)))
    result = reduce("five.adara", "again.adara")
    assert result.returncode == 1
    assert result.stdout.count("\n") == 1
    (sentence,) = sentences(result)
    assert sentence.startswith("livered: again.adara: Run 5 was reduced from five.adara just before")
    (name,) = reduced(tmp_path)
    assert "30" in (tmp_path / "out" / name).read_text().splitlines()[-1].split()[1]


def test_a_file_where_results_go_is_not_written_over(tmp_path, reduce, good):
    (tmp_path / "out").mkdir()
    write_nexus(tmp_path / "out" / "TST_1234.h5", {"bank1_events": PULSES})
    before = (tmp_path / "out" / "TST_1234.h5").read_bytes()
    result = reduce("-i", "TST", "out/TST_1234.h5", LIVERED_PLUGINS__FILES__FORMATS='["nexus"]')
    assert result.returncode == 1
    assert "could be overwritten" in sentences(result)[0]
    assert (tmp_path / "out" / "TST_1234.h5").read_bytes() == before


def test_results_that_cannot_be_written_are_a_failure(tmp_path, reduce, good):
    (tmp_path / "out" / "TST_5.h5").mkdir(parents=True)
    good.write_bytes(to_bytes([*run_packets(5), *run_packets(6, first=100)]))
    result = reduce("five.adara", LIVERED_PLUGINS__FILES__FORMATS='["nexus"]')
    assert result.returncode == 1
    assert any("The curves of run 5 cannot be written to" in sentence for sentence in sentences(result))
    assert (tmp_path / "out" / "TST_5.h5").is_dir()


@pytest.mark.parametrize(("mode", "why"), [("raise", "dropped"), ("skip", "skipped by the plugin")])
def test_a_plugin_that_makes_nothing_is_a_failure(tmp_path, reduce, good, mode, why):
    result = reduce("five.adara", TST_MODE=mode)
    assert (result.returncode, result.stdout) == (1, "")
    assert re.match(rf"livered: five\.adara: No result was made of run 5: .*{why}", sentences(result)[-1])
    assert reduced(tmp_path) == []


def test_quiet_says_only_what_went_wrong(reduce, good):
    result = reduce("--quiet", "five.adara")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    good.write_bytes(b"nothing")
    result = reduce("--quiet", "five.adara")
    assert (result.returncode, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1


def test_a_signal_ends_it_and_leaves_what_was_there(tmp_path, install, tst):
    install("livered-gated", {"gated.py": GATED}, {"livered.instruments": ["GATED = gated:Gated"]})
    for name, run in (("five", 5), ("six", 6)):
        (tmp_path / f"{name}.adara").write_bytes(to_bytes(run_packets(run)))
    gate = tmp_path / "gate"
    arguments = ("reduce", "-i", "GATED", "-o", "out", "five.adara", "six.adara")
    held = tst(GATE=str(gate))
    del held["LIVERED_PLUGINS__SINK"]
    with started(tmp_path, *arguments, environment=held) as process:
        until((tmp_path / "gate.reached").exists)
        # Another one at the same time is not disturbed, and writes first.
        free = {key: value for key, value in held.items() if key != "GATE"}
        assert livered(tmp_path, *arguments, environment=free).returncode == 0
        before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
        process.send_signal(signal.SIGINT)
        until(lambda: "Asked to stop" in (tmp_path / "livereduce.log").read_text())
        gate.touch()
        assert process.stdout is not None
        said = process.stdout.read()
        assert process.wait() == 130
    assert (
        "five.adara: run 5 is not reduced, and nothing was written of it: livered was asked to stop." in said
    )
    assert "six.adara: not begun: livered was asked to stop." in said
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert not [path for path in (tmp_path / "run").iterdir() if path.name.startswith("livered-reduce")]


def test_a_terminal_sees_a_bar_and_stdout_stays_clean(tmp_path, tst, good):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "livered_core", "reduce", "-o", "out", "five.adara"],
        cwd=tmp_path,
        env=tst(TERM="xterm"),
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    ) as process:
        os.close(theirs)
        assert process.stdout is not None
        said = process.stdout.read()
        shown = b""
        while piece := _read(ours):
            shown += piece
    os.close(ours)
    assert process.returncode == 0
    assert said.startswith("five.adara: run 5, 30 events")
    assert "\x1b" not in said
    assert "five.adara" in shown.decode()
    assert "100%" in shown.decode()


def _read(number: int) -> bytes:
    try:
        return os.read(number, 65536)
    except OSError:
        # How a pseudo-terminal says that nobody writes to it any more.
        return b""
