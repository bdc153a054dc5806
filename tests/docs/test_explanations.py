"""What the pages of explanation and of file formats say in names and numbers is what the code has."""

from __future__ import annotations

import io
import itertools
import re

import attrs
import numpy as np
import pytest

from examples_support import REPOSITORY
from livered_core import Curve, Image, Update
from livered_core.chunking.counts import PLACES, StreamCounts
from livered_core.cli import plugin_check, plugins, status_document
from livered_core.diffraction import FocusedHistogram
from livered_core.publish import as_json, published_runs, stored, text
from livered_core.publish.nexus import nexus_bytes
from livered_core.recording.index import Mark
from livered_core.reduction import checkpoint_store
from livered_core.testing import make_result, make_run, make_update, trial_json

DOCS = REPOSITORY / "docs"
SOURCES = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "src").rglob("*.py")]


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def cells(name: str) -> list[list[str]]:
    """Give the cells of each line of a page's tables."""
    return [line.strip("|").split("|") for line in page(name).splitlines() if line.startswith("|")]


# Architecture.


def test_each_thread_has_its_name():
    names = [
        name for row in cells("architecture.md") for name in re.findall(r"^ `(livered-[\w-]+)` ", row[0])
    ]
    assert len(names) > 7
    for name in names:
        written = f'f"{name.replace("NAME", "{queue.name}")}"' if "NAME" in name else f'"{name}"'
        assert any(written in source for source in SOURCES), name


def test_the_parts_are_those_that_the_contracts_know_in_their_order():
    contracts = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    (layers,) = re.findall(r"^layers = \[\n(.*?)^\]", contracts, re.M | re.S)
    known = [set(re.findall(r"\w+", line)) for line in layers.splitlines()]
    table = page("architecture.md").split("\n## The parts\n")[1].split("\n## ")[0]
    shown = [
        set(re.findall(r"`(\w+)`", row.split("|")[1])) for row in table.splitlines() if row.startswith("| `")
    ]
    packages = {path.name for path in (REPOSITORY / "src" / "livered_core").iterdir() if path.is_dir()}
    assert set().union(*shown) == set().union(*known) & {*packages, "errors"}
    order = {part: number for number, parts in enumerate(known) for part in parts}
    places = [[order[part] for part in parts] for parts in shown]
    assert all(max(above) < min(below) for above, below in itertools.pairwise(places))


# Accounting.


def sums(number: int) -> list[list[str]]:
    """Give the names on both sides of the equations of a stage."""
    stage = page("accounting.md").split(f"\n## Stage {number}:")[1].split("\n## ")[0]
    blocks = re.findall(r"^```text\n(.*?)^```$", stage, re.M | re.S)
    return [re.split(r"\s+[=+]\s+", line.strip()) for block in blocks for line in block.splitlines()]


def test_each_place_of_a_pulse_is_in_the_sum_and_explained():
    assert sums(1)[0] == ["pulses", *PLACES]
    explained = {name for row in cells("accounting.md") for name in re.findall(r"`(\w+)`", row[0])}
    assert set(PLACES) <= explained
    of_stream = {field.name for field in attrs.fields(StreamCounts)}
    assert {name for name in sums(1)[-1] if "_" in name} == {
        "reduced_events",
        "error_pixel_events",
        "unmapped_events",
    }
    assert {name for name in sums(1)[-1] if "_" in name} <= of_stream


def test_the_sums_of_a_run_and_of_a_histogram_are_those_of_the_code():
    of_update = {field.name for field in attrs.fields(Update)}
    assert set(sums(2)[0][1:]) == {"n_events", "skipped_events", "dropped_events"} <= of_update
    left, *right = sums(3)[0]
    source = next(text for text in SOURCES if "class FocusedHistogram" in text)
    (summed,) = re.findall(r"accounted = (.*)", source)
    assert (left, right) == ("n_events", re.findall(r"self\.(\w+)", summed))
    assert {left, *right} - {"n_binned"} <= {field.name for field in attrs.fields(FocusedHistogram)}


# File formats.


@pytest.mark.parametrize(
    ("begins", "layout"),
    [
        ("`status.json`", as_json.FORMAT),
        ("`livered status --json`", status_document.FORMAT),
        ("`livered plugins --json`", plugins.FORMAT),
        ("`livered inspect --json`", trial_json.FORMAT),
        ("`livered inspect --json`", plugin_check.FORMAT),
        ("`checkpoints/", checkpoint_store.CHECKPOINT_LAYOUT),
        ("`unsent/", stored.STORED_FORMAT),
    ],
    ids=["run directory", "status", "plugins", "plugin test", "plugin check", "checkpoint", "unsent result"],
)
def test_layouts_have_their_number(begins, layout):
    rows = [row for row in cells("file-formats.md") if row[0].strip().startswith(begins)]
    assert rows[0][1].strip() == str(layout)


def test_numbers_and_words_of_layouts():
    words = " ".join(page("file-formats.md").split())
    assert f"*livered checkpoint {checkpoint_store.CHECKPOINT_LAYOUT}*" in words
    assert f"*livered unsent result {stored.STORED_FORMAT}*" in words
    assert f"at most {published_runs.MOST_RUNS} " in words
    assert f"at most {text.LONGEST_NAME} characters" in words
    (marks,) = [row[1] for row in cells("file-formats.md") if row[0].strip() == "`mark`"]
    assert set(re.findall(r"`(\w+)`", marks)) == {mark.value for mark in Mark}


def test_a_nexus_file_has_what_the_page_draws():
    """Each name in the drawing is in a file, and each name in a file is in the drawing."""
    h5py = pytest.importorskip("h5py")
    points = np.array([1.0, 2.0])
    curve = Curve(
        "bank 2 (31 deg)",
        np.arange(3.0),
        points,
        points,
        "Angstrom",
        "counts",
        "d-spacing",
        "intensity",
        {"n": 1},
    )
    image = Image("a map", np.arange(3.0), np.arange(3.0), np.ones((2, 2)), "m", "m", "counts")
    run = make_run(4711, sample={"name": "Si"})
    result = make_result(run, curves=[curve], images=[image], metadata={"n": 1})
    made = nexus_bytes(result, run, make_update(), {"livered-core": "1"}, 1)
    names: set[str] = set()
    with h5py.File(io.BytesIO(made)) as file:
        file.visit(names.add)
    (drawn,) = re.findall(r"^```text\n/ .*?^```$", page("file-formats.md"), re.M | re.S)
    for name in names:
        parent, _, own = name.rpartition("/")
        if parent.endswith(("/sample", "/metadata", "/versions", "/instrument")):
            continue
        assert re.search(rf"\b{own}\b", drawn), name
    own_names = {name.rpartition("/")[2] for name in names}
    lines = (re.sub(r"(?<=\S)  .*", "", line.strip()) for line in drawn.splitlines()[2:-1])
    for line in lines:
        for word in re.findall(r"^[a-z]\w+(?:, [a-z]\w+)*", line)[:1]:
            assert set(word.split(", ")) <= own_names, line
