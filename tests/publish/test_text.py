from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Callable

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hooks_support
from livered_core.model import Curve, Result, RunInfo, Update
from livered_core.publish.text import column_text, header_lines, one_line, slug, unique_slugs

NOON = 1_795_348_800 * 1_000_000_000
any_text = st.text(st.characters(codec=None), max_size=200)
numbers = st.floats(width=64)


@given(any_text)
def test_any_text_becomes_one_printable_line(text: str) -> None:
    line = one_line(text)
    line.encode()
    assert len(line.splitlines()) <= 1
    assert not any(
        unicodedata.category(character).startswith("C") for character in line if ord(character) < 160
    )
    assert "  " not in line
    assert line == line.strip()


@given(any_text)
def test_any_label_becomes_a_name_that_stays_in_its_folder(label: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_]{0,78}[A-Za-z0-9])?", slug(label))


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("bank 2 - 31 deg", "bank_2_31_deg"),
        ("../../etc/passwd", "etc_passwd"),
        ("S(Q)", "S_Q"),
        ("Ångström", "Angstrom"),
        ("", "curve"),
        ("\u4e2d", "curve"),
        ("a" * 79 + " b", "a" * 79),
    ],
)
def test_labels_become_readable_names(label: str, name: str) -> None:
    assert slug(label, otherwise="curve") == name


@given(st.lists(any_text | st.sampled_from(["a", "A", "a b", "a-b", "a_2", "title"])))
def test_names_differ_whatever_the_labels(labels: list[str]) -> None:
    names = unique_slugs(labels, reserved=("Title",))
    lowered = [name.lower() for name in names]
    assert len(names) == len(labels)
    assert len(set(lowered)) == len(labels)
    assert "title" not in lowered


def read(data: bytes) -> tuple[list[str], np.ndarray]:
    lines = data.decode().splitlines()
    header = [line for line in lines if line.startswith("# ")]
    return header, np.loadtxt(io.BytesIO(data), ndmin=2)


@given(st.lists(numbers, min_size=1, max_size=20))
def test_numbers_read_back_as_they_were(values: list[float]) -> None:
    y = np.array(values)
    x = np.arange(len(y)) / 3
    _, table = read(column_text(Curve("c", x, y, y[::-1], "angstrom", "counts"), []))
    assert np.array_equal(table, np.column_stack((x, y, y[::-1])), equal_nan=True)


def test_bins_have_their_middle_in_the_first_column(result: Result) -> None:
    curve = result.curves[0]
    header, table = read(column_text(curve, []))
    assert header[-1] == "# columns: x y e"
    middles = (curve.x[:-1] + curve.x[1:]) / 2
    assert np.array_equal(table, np.column_stack((middles, curve.y, curve.e)))
    assert "# x: d-spacing in angstrom, middle of each of 50 bins from 0.3 to 3" in header
    assert "# y: intensity in counts/uC" in header
    assert "# e: standard deviation of y in counts/uC" in header
    assert "# curve pixels: 23552" in header


def test_points_stay_as_they_are(result: Result) -> None:
    header, table = read(column_text(result.curves[1], []))
    assert header[-1] == "# columns: x y e"
    assert "# x: x in 1/angstrom" in header
    assert np.array_equal(table[:, 0], result.curves[1].x)


def test_the_header_says_what_the_curves_rest_on(
    result: Result, run: RunInfo, make_update: Callable[..., Update]
) -> None:
    update = make_update(missing=("Chunk 3 was dropped.", "The start is missing."))
    lines = header_lines(result, run, update, {"livered-core": "0.1.0", "nom": "2"}, NOON)
    for line in (
        "instrument: NOM",
        "run: 7",
        "run title: diamond",
        "proposal: IPTS-1",
        "result: diamond powder",
        "run start: 2026-11-22T11:50:00Z",
        "final: yes",
        "complete: no",
        "missing: Chunk 3 was dropped.",
        "missing: The start is missing.",
        "proton charge: 7200000000.0 pC",
        "pulses: 36000",
        "events: 1234567",
        "dropped chunks: 2",
        "skipped chunks: 4",
        "skipped events: 1600000",
        "last pulse: 2026-11-22T11:59:55Z",
        "sample mass (g): 1.5",
        "result strongest: bank 2",
        "versions: livered-core 0.1.0, nom 2",
        "written: 2026-11-22T12:00:00Z",
    ):
        assert line in lines


@given(any_text)
def test_no_text_of_the_stream_breaks_the_header(text: str) -> None:
    hostile = f"x\n1 2 3\r{text}\u2028"
    note = {hostile: hostile}
    curve = Curve(hostile, np.arange(2.0), np.ones(2), np.ones(2), "a" + hostile, "b", hostile, hostile, note)
    result = Result(7, hostile, (curve,), (), note)
    run = RunInfo(7, hostile, hostile, hostile, 0, {hostile: hostile})
    update = attrs.evolve(hooks_support.update(final=True), complete=False, missing=(hostile,))
    header = header_lines(result, run, update, note, 1)
    assert all(len(line.splitlines()) == 1 for line in header)
    data = column_text(curve, header)
    lines = data.decode().split("\n")
    assert [line for line in lines if not line.startswith("# ")] == ["0.0 1.0 1.0", "1.0 1.0 1.0", ""]
    assert len(data.decode().splitlines()) == len(lines) - 1


def test_what_is_not_known_is_said(result: Result, run: RunInfo, make_update: Callable[..., Update]) -> None:
    update = attrs.evolve(make_update(), first_pulse_ns=0, last_pulse_ns=0)
    lines = header_lines(result, attrs.evolve(run, start_ns=0), update, {}, NOON)
    assert "run start: not known" in lines
    assert "last pulse: none" in lines
