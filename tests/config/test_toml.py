import sys
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.config import dotted, toml_value
from livered_core.config.toml import MAX_DEPTH, parse_toml
from livered_core.errors import ConfigError

toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_what_is_written_reads_back_as_the_same(value: object) -> None:
    line = f"value = {toml_value(value)}"
    assert "\n" not in line
    assert toml.loads(line) == {"value": value}


@given(st.lists(texts, min_size=1, max_size=4))
def test_a_dotted_path_is_the_toml_key(path: list[str]) -> None:
    values = toml.loads(f"{dotted(path)} = 1")
    for key in path:
        assert list(values) == [key]
        values = values[key]
    assert values == 1


def test_positions_in_lists_are_numbers_in_brackets() -> None:
    assert dotted(["plugins", "nom", "banks", 2, "a.b"]) == 'plugins.nom.banks[2]."a.b"'


@pytest.mark.parametrize("character", ["\x1b", "\x07", "\x7f", "\x9b", "\n"])
def test_no_control_character_is_written(character: str) -> None:
    written = toml_value(f"a{character}b")
    assert written.isprintable()
    assert toml.loads(f"v = {written}")["v"] == f"a{character}b"


def test_undecodable_text_can_be_printed() -> None:
    toml_value("a\udcffb").encode()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a = 1\nb = = 2\n", "on line 2, column 5"),
        ("a = 1\nb", "at its end"),
        ("a = [1,\n\n", "at its end"),
        ("a = 1\na = 2\n", ""),
        (f"a = {'9' * 5000}", "in a value"),
    ],
)
def test_a_syntax_error_says_where(text: str, where: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_toml(text, "/etc/livered/NOM.toml")
    (sentence,) = error.value.problems
    assert sentence.startswith("/etc/livered/NOM.toml is not valid TOML ")
    assert where in sentence
    assert sentence.endswith("correct it there.")


@pytest.mark.parametrize(
    "text", [f"a = {'[' * 5000}", f"{'.'.join('a' * (MAX_DEPTH + 1))} = 1", f"a = {'[' * 40}{']' * 40}"]
)
def test_what_is_nested_too_deep_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="nested"):
        parse_toml(text, "x.toml")


def test_what_is_nested_as_deep_as_allowed_is_read() -> None:
    assert parse_toml(f"{'.'.join('a' * MAX_DEPTH)} = 1", "x.toml")
