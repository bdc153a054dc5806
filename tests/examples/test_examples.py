"""The packages in ``examples``: built, installed, tested by themselves, and run by the real program."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from examples_support import EXAMPLES, REPOSITORY, make_environment
from livered_core import InstrumentDefinition
from livered_core.config import parse_layer
from livered_core.geometry import read_instrument
from livered_core.publish.files import FilesPlugin
from livered_core.testing import PluginHarness, chunks_of, find_plugin

RUN = "livered run --instrument TOY --simulate --stop-after-run --plain"
SHORT = {"simulate__speed": 0, "simulate__run_length": 3}
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/pyproject.toml"))
"""Those that can be installed."""
ALL = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))
DOUBLE = REPOSITORY / "tests" / "mantid_double"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """All examples, installed."""
    folder = tmp_path_factory.mktemp("examples")
    made = make_environment(folder)
    # From a copy, so that a backend that builds in the source leaves nothing in the repository.
    shutil.copytree(EXAMPLES, folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    done = made.run(folder, "pip install " + " ".join(f"./examples/{name}" for name in NAMES))
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture
def example(monkeypatch):
    """An example's plugin, taken from where it is."""

    def find(name, place):
        monkeypatch.syspath_prepend(EXAMPLES / name / "src")
        return find_plugin(place)

    before = set(sys.modules)
    yield find
    for name in set(sys.modules) - before:
        if str(EXAMPLES) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def code_lines(text):
    """Leave out blank lines, imports, comments and texts that explain."""
    lines = [line for line in text.splitlines() if line.strip() and '"""' not in line]
    return [line for line in lines if not line.strip().startswith(("import ", "from ", "#"))]


def columns(path):
    """Return the notes in the head of a curve's file, and its columns."""
    text = path.read_text()
    notes = {
        line[2:].partition(": ")[0]: line.partition(": ")[2] for line in text.splitlines() if line[0] == "#"
    }
    return notes, np.loadtxt(text.splitlines(), unpack=True)


def test_the_tests_that_they_bring_along_pass(environment):
    with_tests = [name for name in ALL if list((EXAMPLES / name / "tests").glob("test_*.py"))]
    assert with_tests == ALL
    command = (
        f"PYTHONPATH={DOUBLE} python -m pytest -q -rs -W error -p no:cacheprovider --import-mode=importlib"
    )
    done = environment.run(environment.folder, f"{command} examples")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


GATED = """
max_chunk_events = 50_000
[plugins.sink_sqlite]
database = "runs.sqlite"
[plugins.sink_chat]
webhook_file = "webhook"
[plugins.temperature_gate]
lowest = 290.0
highest = 293.157
"""


@contextmanager
def chat():
    """A chat on this machine: its address, and what it got."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", got
        finally:
            server.shutdown()
            thread.join()


def test_the_toy_with_both_sinks_and_a_gate(environment, tmp_path):
    # The simulated temperature rises from 293.15 K by about 0.005 K a second.
    (tmp_path / "toy.toml").write_text(GATED)
    with chat() as (url, got):
        (tmp_path / "webhook").write_text(url)
        done = environment.run(tmp_path, f"{RUN} --config toy.toml", **SHORT)
    assert done.returncode == 0, done.stdout + done.stderr
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as database:
        ((*run, events, charge_pc, complete, curves),) = database.execute("SELECT * FROM runs")
    assert run == ["TOY", 1, "Diamond on the toy diffractometer"]
    assert 200_000 < events < 500_000  # of 600,000
    assert charge_pc > 0
    assert (complete, curves) == (1, 2)
    assert [json.loads(said) for said in got] == [{"text": f"TOY 1: {events:,} events. Complete."}]
    for panel, reflections in {"60": [2.0595, 1.2612, 1.0755], "150": [1.2612, 1.0755, 0.8918]}.items():
        notes, (x, y, e) = columns(tmp_path / "output" / "TOY-simulated" / f"TOY_1_panel_at_{panel}_deg.dat")
        assert notes["x"].startswith("d-spacing in Angstrom, middle of each of ")
        assert notes["y"].endswith("in counts")
        assert notes["complete"] == "yes"
        assert int(notes["curve counts"]) == y.sum() > 40_000
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
    sci = EXAMPLES / "scipp_diffractometer" / "src" / "livered_scipp" / "sci.xml"
    assert sci.read_text(encoding="utf-8").replace('name="SCI"', 'name="TOY"') == xml


def test_the_powder_diffractometer_shows_silicon_over_vanadium(tmp_path, example):
    named = example("powder_diffractometer", "livered_powder.plugin:Powder")
    defaults = EXAMPLES / "powder_diffractometer" / "src" / "livered_powder" / "defaults.toml"

    def reduced(run_number, sample, **settings):
        played = [
            f"simulate.{key}" for key in (f"sample={sample}", f"run_number={run_number}", "run_length=3")
        ]
        (run,) = chunks_of("simulate", named, instrument="PDX", config_file=defaults, settings=played)
        places = {"output_dir": str(tmp_path)}
        with PluginHarness(
            named.plugin_class, settings, run=run.run, beside=[FilesPlugin], session=places
        ) as harness:
            (curve,) = harness.reduce(*run.chunks).curves
        left_out = ("out of range", "masked", "unknown pixels")
        assert sum(curve.metadata[name] for name in ("counts", *left_out)) == run.n_events
        return curve

    reduced(7, "vanadium")
    curve = reduced(1, "silicon", vanadium=str(tmp_path / "PDX_7.h5"))
    assert curve.y_unit == "dimensionless"
    assert curve.metadata["counts"] > 400_000
    for d in (1.9201, 1.6375, 1.2459, 1.1086):
        near = np.flatnonzero(abs(curve.x_centres - d) < 0.03)
        top = near[curve.y[near].argmax()]
        assert curve.x_centres[top] == pytest.approx(d, abs=0.004)
        assert curve.y[top] > 3 * np.median(curve.y[near])
    plugin = EXAMPLES / "powder_diffractometer" / "src" / "livered_powder" / "plugin.py"
    assert len(plugin.read_text(encoding="utf-8").splitlines()) < 60


def test_an_event_file_of_a_sans_instrument_is_reduced(environment, tmp_path):
    readme = (EXAMPLES / "sans_eqsans" / "README.md").read_text(encoding="utf-8")
    (command,) = (line for line in readme.splitlines() if line.startswith("livered reduce "))
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    done = environment.run(tmp_path, f"{command} --output-dir out")
    assert done.returncode == 0, done.stdout + done.stderr
    notes, (x, y, _) = columns(tmp_path / "out" / "EQSANS_1466_whole_band.dat")
    ring = (x > 0.09) & (x < 0.125)
    assert x[ring][y[ring].argmax()] == pytest.approx(2 * np.pi / 58.38, rel=0.02)
    left_out = sum(int(notes[f"result {name}"]) for name in ("masked", "beyond", "unknown"))
    assert int(notes["curve counts"]) + left_out == int(notes["events"]) == 5718


def test_the_configuration_of_the_scripts_is_what_comes_of_livereduce_s(environment):
    folder = environment.folder / "examples" / "facility_scripts"
    done = environment.run(folder, "livered config import livereduce.conf")
    assert done.returncode == 0, done.stderr
    made = parse_layer(done.stdout, "made", folder).values
    for key in ("process", "post_process"):
        made["plugins"]["scripts"][key] = made["plugins"]["scripts"][key].removeprefix(f"{folder}/")
    shown = parse_layer((folder / "PG3.toml").read_text(encoding="utf-8"), "shown", folder).values
    assert made == shown


PLAYED = """
[simulate]
idf = "powder.xml"
sample = "silicon"
tof_min_us = 12000.0
tof_max_us = 28666.0
"""


@pytest.mark.slow
def test_the_scripts_reduce_a_stream_through_mantid(environment, tmp_path):
    folder = tmp_path / "facility_scripts"
    shutil.copytree(EXAMPLES / "facility_scripts", folder)
    shutil.copy(EXAMPLES / "powder_diffractometer" / "src" / "livered_powder" / "powder.xml", folder)
    # Mantid is here already, or its double is.
    text = (
        (folder / "PG3.toml")
        .read_text(encoding="utf-8")
        .replace('[mantid]\nenvironment = "conda:mantid"\n', "")
    )
    (folder / "PG3.toml").write_text(text + PLAYED, encoding="utf-8")
    command = "livered run --instrument PG3 --config PG3.toml --simulate --stop-after-run --plain"
    line = f"export PYTHONPATH={DOUBLE} MANTID_DOUBLE_BLOCK=0.3\n{command}"
    done = environment.run(folder, line, **SHORT)
    assert done.returncode == 0, done.stdout + done.stderr
    notes, (x, y, _) = columns(folder / "output" / "PG3-simulated" / "PG3_1_result.dat")
    assert notes["complete"] == "yes"
    assert notes["result process script"] == "reduce_PG3_live_proc.py"
    for d in (1.9201, 1.6375, 1.2459, 1.1086):
        near = np.flatnonzero(abs(x - d) < 0.03)
        assert x[near[y[near].argmax()]] == pytest.approx(d, abs=0.004)


CHECKED = {
    "toy_diffractometer": "TOY",
    "powder_diffractometer": "PDX",
    "scipp_diffractometer": "SCI",
    "sans_eqsans": "EQSANS",
    "temperature_gate": "temperature_gate --instrument TOY --config all.toml",
    "sink_sqlite": "sink_sqlite --instrument TOY --config all.toml",
    "sink_chat": "sink_chat --instrument TOY --config all.toml",
}
SETTINGS = {
    "temperature_gate": "lowest = 200.0\nhighest = 400.0",
    "sink_sqlite": 'database = "runs.sqlite"',
    "sink_chat": 'webhook_file = "webhook"',
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_plugin_check_and_plugin_test_are_content(environment, tmp_path, name):
    with chat() as (url, _):
        (tmp_path / "webhook").write_text(url)
        (tmp_path / "all.toml").write_text(
            f"[plugins.{name}]\n{SETTINGS[name]}\n" if name in SETTINGS else ""
        )
        publish = "--publish" if name in ("sink_sqlite", "sink_chat") else ""
        for command in (f"check {CHECKED[name]} {publish}", f"test {CHECKED[name]} --no-open"):
            done = environment.run(tmp_path, f"livered plugin {command}", **SHORT)
            assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ALL)
def test_each_example_says_what_it_is(name):
    text = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert (f"pip install ./examples/{name}" in text) == (name in NAMES)
    assert len(text.splitlines()) <= 60
    assert f"[`{name}`]({name})" in (EXAMPLES / "README.md").read_text(encoding="utf-8")


def test_the_instruments_plugin_has_twenty_lines_of_code():
    text = (EXAMPLES / "toy_diffractometer" / "src" / "livered_toy" / "plugin.py").read_text(encoding="utf-8")
    assert len(code_lines(text)) <= 20


def test_the_sink_for_a_chat_has_fifteen_lines_of_code():
    text = (EXAMPLES / "sink_chat" / "src" / "livered_sink_chat" / "__init__.py").read_text(encoding="utf-8")
    assert len(code_lines(text[text.index("@attrs.define") :])) == 15
