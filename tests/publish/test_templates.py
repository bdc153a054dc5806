from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.model import RunInfo
from livered_core.publish.templates import (
    NO_PROPOSAL,
    field_problem,
    fields_in,
    fill,
    fixed_folder,
    matcher,
    name_problem,
    part,
    values,
)

any_text = st.text(st.characters(codec=None), max_size=100)
hostile = any_text | st.sampled_from(
    ["..", "../..", "/etc/passwd", "a/b", "{run}", "-rf", ".hidden", "\0", ""]
)
pieces = st.lists(
    st.sampled_from(["{instrument}", "{run}", "{proposal}", "a", "_", "-", "Z9"]), min_size=1, max_size=6
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("IPTS-12345", "IPTS-12345"),
        ("../../etc", "etc"),
        ("..", NO_PROPOSAL),
        ("", NO_PROPOSAL),
        ("-rf /", "rf"),
        ("a.b", "a_b"),
        ("Ångström 7", "Angstrom_7"),
        ("x" * 39 + "-y", "x" * 39),
    ],
)
def test_text_becomes_a_readable_part(text: str, name: str) -> None:
    assert part(text, otherwise=NO_PROPOSAL) == name


@given(hostile)
def test_any_text_becomes_a_harmless_part(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,38}[A-Za-z0-9])?", part(text, otherwise="none"))


@given(hostile, hostile, st.integers(1, 10**9), pieces)
def test_no_run_leads_out_of_its_folder(instrument: str, proposal: str, number: int, name: list[str]) -> None:
    template = f"/data/{{instrument}}/x{''.join(name)}/y"
    path = fill(template, values(RunInfo(number, instrument, proposal)))
    assert Path(path).parts[:2] == ("/", "data")
    assert len(Path(path).parts) == 5
    assert ".." not in path
    assert "{" not in path


@given(pieces, hostile, st.integers(1, 10**9))
def test_what_a_template_becomes_is_recognised(name: list[str], proposal: str, number: int) -> None:
    template = f"/d.t/{''.join(name)}"
    filled = fill(template, values(RunInfo(number, "NOM-B", proposal)))
    assert matcher(template, "NOM-B").fullmatch(filled)
    assert not matcher(template, "NOM-B").fullmatch(filled.replace("/d.t", "/dxt"))


def test_another_instrument_is_not_recognised() -> None:
    assert matcher("/d/{instrument}_{run}", "NOM").fullmatch("/d/NOM_7")
    assert not matcher("/d/{instrument}_{run}", "NOM").fullmatch("/d/PG3_7")
    assert not matcher("/d/{instrument}_{run}", "NOM").fullmatch("/d/NOM_x")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{ipts}", "no other fields than {instrument}, {run}, {proposal}, not {ipts}"),
        ("{}", "not {}"),
        ("{run:05d}", "not {run:05d}"),
        ("{run", "braces only around the names of fields"),
        ("run}", "braces only around the names of fields"),
        ("{{run}}", "braces only around the names of fields"),
    ],
)
def test_wrong_fields_are_refused(template: str, said: str) -> None:
    assert said in field_problem(template)
    assert said in name_problem(template)


@pytest.mark.parametrize(
    "name", ["a/{run}", "../{run}", ".{run}", "{run}.nxs", "", "-{run}", "{run} x", "{run}\n"]
)
def test_wrong_names_are_refused(name: str) -> None:
    assert "letters, digits, - and _" in name_problem(name)


def test_long_names_are_refused() -> None:
    assert "at most 60 characters, not 65" in name_problem("{run}" + "x" * 60)


@given(st.text(max_size=70))
def test_a_name_without_problems_is_the_name_of_a_file(name: str) -> None:
    if name_problem(name) == "":
        filled = fill(name, values(RunInfo(7, "NOM")))
        assert Path(filled).name == filled
        assert not filled.startswith((".", "-"))


@pytest.mark.parametrize(
    ("folder", "fixed"),
    [
        ("/SNS/{instrument}/{proposal}/shared", "/SNS"),
        ("/SNS/NOM/x{run}/shared", "/SNS/NOM"),
        ("/SNS/NOM", "/SNS/NOM"),
        ("{run}", "."),
    ],
)
def test_the_folders_that_do_not_change(folder: str, fixed: str) -> None:
    assert fixed_folder(Path(folder)) == Path(fixed)
    assert not fields_in(fixed)
