"""What ``livered plugin new`` makes is installed, passes its own tests, and reduces, in processes of their own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from examples_support import REPOSITORY, make_environment
from livered_core.scaffold import Request, make_plugin

DOUBLE = REPOSITORY / "tests" / "mantid_double"
NOM_IDF = REPOSITORY / "plugins" / "nom" / "src" / "livered_nom" / "simulated_instrument.xml"
SHORT = {"simulate__speed": 0, "simulate__run_length": 3}
LARGE = Request("my_nomad", "instrument", "NOMX", idf=NOM_IDF)
"""101,376 pixels in 99 banks, whose ids have gaps."""
REQUESTS = (
    Request("my_instrument", "instrument", "POWGEN"),
    Request("run_list", "sink", "POWGEN"),
    Request("pg_scripts", "scripts", "PG3"),
)
NAMES = " ".join(request.name for request in REQUESTS)


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return make_environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture(scope="module")
def folder(environment, tmp_path_factory):
    """Make one of each kind, and install what can be."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for request in REQUESTS:
            make_plugin(request)
    packages = " ".join(f"-e '{request.name}[test]'" for request in REQUESTS if request.kind != "scripts")
    done = environment.run(folder, f"pip install {packages}")
    assert done.returncode == 0, done.stderr
    return folder


def test_their_own_tests_pass(environment, folder):
    command = f"PYTHONPATH={DOUBLE} python -m pytest -q -rs -W error -p no:cacheprovider {NAMES}"
    done = environment.run(folder, command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


def test_the_instrument_reduces_at_once_and_the_sink_takes_its_result(environment, folder):
    command = (
        "livered run --instrument POWGEN --config run_list/example.toml --simulate --stop-after-run --plain"
    )
    done = environment.run(folder, command, **SHORT)
    assert done.returncode == 0, done.stdout + done.stderr
    output = folder / "output" / "POWGEN-simulated"
    for panel, reflections in {
        "panel60": [2.0595, 1.2612, 1.0755],
        "panel150": [1.2612, 1.0755, 0.8918],
    }.items():
        notes, (x, y, _) = curve(output / f"POWGEN_1_{panel}.dat")
        assert notes["y"] == "intensity in counts/uAh"
        left_out = ("outside the bins", "of masked pixels", "of unknown pixels")
        events = int(notes["result in curves"]) + sum(int(notes[f"result {reason}"]) for reason in left_out)
        assert events == int(notes["result events"]) == int(notes["events"]) > 500_000
        for d in reflections:
            near = np.flatnonzero(abs(x - d) < 0.03)
            assert abs(x[near[y[near].argmax()]] - d) < 0.005
    (line,) = (output / "run_list.jsonl").read_text(encoding="utf-8").splitlines()
    row = json.loads(line)
    assert (row["instrument"], row["run"], row["curves"], row["complete"]) == ("POWGEN", 1, 2, True)
    assert row["events"] == events


def curve(path):
    """Return the notes in the head of a curve's file, and its columns."""
    text = path.read_text(encoding="utf-8")
    notes = dict(line[2:].split(": ", 1) for line in text.splitlines() if line.startswith("# "))
    return notes, np.loadtxt(text.splitlines(), unpack=True)


@pytest.mark.slow
@pytest.mark.parametrize("request_", (*REQUESTS, LARGE), ids=lambda request: request.name)
def test_what_it_says_to_type_next_works_word_for_word(tmp_path, monkeypatch, request_):
    """Each in an environment of its own, as somebody would who has just begun."""
    monkeypatch.chdir(tmp_path)
    environment = make_environment(tmp_path)
    if request_.kind == "sink":
        # It is tried with NOMAD, which is installed here.
        request_ = Request(request_.name, "sink")
    commands = make_plugin(request_).commands
    mantid = request_.kind == "scripts"
    for command in commands:
        line = f"export PYTHONPATH={DOUBLE} MANTID_DOUBLE_BLOCK=0.3\n{command}" if mantid else command
        done = environment.run(tmp_path, line, **SHORT)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


@pytest.mark.slow
def test_mypy_is_content(folder):
    if shutil.which("mypy", path=str(Path(sys.executable).parent)) is None:
        pytest.skip("there is no mypy beside this Python")
    for name in ("my_instrument", "run_list"):
        command = [sys.executable, "-m", "mypy", "--cache-dir", str(folder / "mypy")]
        done = subprocess.run(command, cwd=folder / name, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
