"""The packages in ``examples``: built, installed, and run by the real program on the simulated beamline."""

from __future__ import annotations

import runpy
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from examples_support import EXAMPLES, make_environment
from hooks_support import result, run_info, update
from livered_core import InstrumentDefinition
from livered_core.geometry import read_instrument

RUN = "livered run --instrument TOY --simulate --stop-after-run --plain"
SHORT = {"simulate__speed": 0, "simulate__run_length": 3}
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/pyproject.toml"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """All examples, installed."""
    folder = tmp_path_factory.mktemp("examples")
    made = make_environment(folder)
    # From a copy, so that a backend that builds in the source leaves nothing in the repository.
    shutil.copytree(EXAMPLES, folder / "examples")
    done = made.run(folder, "pip install " + " ".join(f"./examples/{name}" for name in NAMES))
    assert done.returncode == 0, done.stderr
    return made


def reduced(folder, panel):
    """Return the notes in the head of a curve's file, and its columns."""
    text = (folder / "output" / "TOY-simulated" / f"TOY_1_panel_at_{panel}_deg.dat").read_text()
    notes = dict(line[2:].split(": ", 1) for line in text.splitlines() if line.startswith("# "))
    return notes, np.loadtxt(text.splitlines(), unpack=True)


def rows(folder):
    with closing(sqlite3.connect(folder / "runs.sqlite")) as database:
        return database.execute("SELECT * FROM runs ORDER BY run").fetchall()


def test_the_toy_shows_the_reflections_of_diamond_in_both_panels(environment, tmp_path):
    done = environment.run(tmp_path, RUN, **SHORT)
    assert done.returncode == 0, done.stdout + done.stderr
    for panel, reflections in {"60": [2.0595, 1.2612, 1.0755], "150": [1.2612, 1.0755, 0.8918]}.items():
        notes, (x, y, e) = reduced(tmp_path, panel)
        assert notes["x"].startswith("d-spacing in Angstrom, middle of each of ")
        assert notes["y"].endswith("in counts")
        assert notes["complete"] == "yes"
        assert int(notes["curve counts"]) == y.sum() > 100_000
        assert (e == np.sqrt(y)).all()
        for d in reflections:
            near = np.flatnonzero(abs(x - d) < 0.03)
            top = near[y[near].argmax()]
            assert abs(x[top] - d) < 0.004 + (x[top + 1] - x[top]) / 2
            assert y[top] > 5 * np.median(y[near])


def test_the_toys_pixels_are_where_its_plugin_believes():
    xml = (EXAMPLES / "toy_diffractometer" / "src" / "livered_toy" / "toy.xml").read_text(encoding="utf-8")
    toy = read_instrument(InstrumentDefinition("TOY", xml))
    assert (toy.pixel_id == np.arange(512)).all()
    assert (toy.bank == np.repeat([0, 1], 256)).all()
    middles = [np.degrees(toy.two_theta[toy.bank == panel].mean()) for panel in (0, 1)]
    assert middles == pytest.approx([60, 150], abs=1)


def powder_pattern(folder, number):
    text = (folder / "output" / "PDX-simulated" / f"PDX_{number}_all.dat").read_text()
    notes = dict(line[2:].split(": ", 1) for line in text.splitlines() if line.startswith("# "))
    return notes, np.loadtxt(text.splitlines(), unpack=True)


def test_the_powder_diffractometer_shows_silicon_over_vanadium(environment, tmp_path):
    run = "livered run --instrument PDX --simulate --stop-after-run --plain"
    done = environment.run(tmp_path, run, **SHORT, simulate__sample="vanadium", simulate__run_number=7)
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "pdx.toml").write_text('[plugins.pdx]\nvanadium = "output/PDX-simulated/PDX_7.h5"\n')
    done = environment.run(tmp_path, f"{run} --config pdx.toml", **SHORT)
    assert done.returncode == 0, done.stdout + done.stderr
    notes, (x, y, _) = powder_pattern(tmp_path, 1)
    assert notes["y"].endswith("in dimensionless")
    assert int(notes["curve counts"]) > 400_000
    for d in (1.9201, 1.6375, 1.2459, 1.1086):
        near = np.flatnonzero(abs(x - d) < 0.03)
        top = near[y[near].argmax()]
        assert abs(x[top] - d) < 0.003 + (x[top + 1] - x[top]) / 2
        assert y[top] > 3 * np.median(y[near])
    plugin = EXAMPLES / "powder_diffractometer" / "src" / "livered_powder" / "plugin.py"
    assert len(plugin.read_text(encoding="utf-8").splitlines()) < 60


def test_the_sink_writes_a_row_for_a_run(environment, tmp_path):
    (tmp_path / "toy.toml").write_text('[plugins.sink_sqlite]\ndatabase = "runs.sqlite"\n')
    done = environment.run(tmp_path, f"{RUN} --config toy.toml", **SHORT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sink_sqlite: " in done.stdout
    ((instrument, number, title, events, charge_pc, complete, curves),) = rows(tmp_path)
    assert (instrument, number, title) == ("TOY", 1, "Diamond on the toy diffractometer")
    assert events == pytest.approx(600_000, rel=0.05)
    assert charge_pc > 0
    assert (complete, curves) == (1, 2)


def test_the_sink_takes_final_results_alone_and_each_once(tmp_path):
    example = runpy.run_path(str(EXAMPLES / "sink_sqlite" / "src" / "livered_sink_sqlite" / "__init__.py"))
    sink = example["SinkSqlite"](example["SqliteSettings"](tmp_path / "runs.sqlite"))
    assert sink.post_publish(result(1), run_info(1), update()) is None
    assert not (tmp_path / "runs.sqlite").exists()
    for number in (1, 2, 2):
        receipt = sink.post_publish(result(number), run_info(number), update(final=True))
        assert receipt.where == str(tmp_path / "runs.sqlite")
        assert receipt.size == (tmp_path / "runs.sqlite").stat().st_size
    assert [row[1] for row in rows(tmp_path)] == [1, 2]


def test_a_folder_that_is_not_there_is_said_before_anything_starts(environment, tmp_path):
    (tmp_path / "toy.toml").write_text('[plugins.sink_sqlite]\ndatabase = "nowhere/runs.sqlite"\n')
    done = environment.run(tmp_path, f"{RUN} --config toy.toml", **SHORT)
    assert done.returncode == 2
    assert f"plugins.sink_sqlite: database: there is no folder {tmp_path}/nowhere" in done.stderr


GATE = """
max_chunk_events = 50_000
[plugins.sink_sqlite]
database = "runs.sqlite"
[plugins.temperature_gate]
lowest = 290.0
highest = {highest}
"""


def test_the_gate_leaves_out_what_was_measured_too_warm(environment, tmp_path):
    # The simulated temperature rises from 293.15 K by about 0.005 K a second.
    (tmp_path / "toy.toml").write_text(GATE.format(highest=293.157))
    done = environment.run(tmp_path, f"{RUN} --config toy.toml", **SHORT)
    assert done.returncode == 0, done.stdout + done.stderr
    ((*_, events, charge_pc, complete, _curves),) = rows(tmp_path)
    assert 200_000 < events < 500_000
    assert charge_pc > 0
    assert complete == 1


def test_a_gate_without_its_log_is_a_failure_and_not_a_pass(environment, tmp_path):
    (tmp_path / "toy.toml").write_text(GATE.format(highest=300.0) + 'log = "NoSuchLog"\n')
    done = environment.run(tmp_path, f"{RUN} --config toy.toml", **SHORT)
    assert done.returncode == 1
    said = "Plugin temperature_gate 1.0 failed in process_chunk on chunk 1: KeyError: 'NoSuchLog'"
    assert said in done.stdout
    assert not (tmp_path / "runs.sqlite").exists()


@pytest.mark.parametrize("name", NAMES)
def test_each_example_says_what_it_is(name):
    text = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert f"pip install ./examples/{name}" in text


def test_the_instruments_plugin_has_twenty_lines_of_code():
    text = (EXAMPLES / "toy_diffractometer" / "src" / "livered_toy" / "plugin.py").read_text(encoding="utf-8")
    code = [line for line in text.splitlines() if line.strip() and '"""' not in line]
    code = [line for line in code if not line.startswith(("import ", "from "))]
    assert len(code) <= 20
