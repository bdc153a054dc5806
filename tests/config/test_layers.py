import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.config import (
    Layer,
    Merged,
    dotted,
    environment_layer,
    instrument_name,
    merge,
    parse_layer,
    read_layer,
    standard_layers,
)
from livered_core.errors import ConfigError

HERE = Path("/here")


def layer(origin: str, **values: Any) -> Layer:
    return Layer(origin, values, HERE / origin)


# --- files


def test_a_file_is_a_layer_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "NOM.toml"
    path.write_text("update_every = 10\n[source]\nqueue_events = 3\n")
    read = read_layer(path)
    assert read == Layer(str(path), {"update_every": 10, "source": {"queue_events": 3}}, tmp_path)
    assert read_layer(path, "mine").origin == "mine"


def test_the_folder_of_a_relative_file_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    read = read_layer(Path("a.toml"))
    assert read.base_dir == tmp_path
    assert read.origin == "a.toml"


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"\xef\xbb\xbfupdate_every = 10\n")
    assert read_layer(path).values == {"update_every": 10}


def test_files_that_cannot_be_read_are_one_sentence_each(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    with pytest.raises(ConfigError, match=r"missing\.toml cannot be read \(No such file or directory\)"):
        read_layer(missing)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_layer(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"a = '\xff\xfe'")
    with pytest.raises(ConfigError, match=r"binary\.toml is not UTF-8 text \(byte 5\)"):
        read_layer(binary)


def test_a_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "NOM.toml"
    path.write_text("a = 1\nupdate_every 10\n")
    with pytest.raises(ConfigError, match=r"NOM\.toml is not valid TOML on line 2"):
        read_layer(path)


def test_standard_files_in_their_order(tmp_path: Path) -> None:
    etc, mine = tmp_path / "etc", tmp_path / "home" / ".config" / "livered"
    environ = {"HOME": str(tmp_path / "home")}
    assert standard_layers("NOM", environ, etc) == []
    for folder in (etc, mine):
        folder.mkdir(parents=True)
        (folder / "NOM.toml").write_text("update_every = 1")
        (folder / "POWGEN.toml").write_text("update_every = 2")
    assert [read.base_dir for read in standard_layers("NOM", environ, etc)] == [etc, mine]
    (etc / "NOM.toml").unlink()
    assert [read.origin for read in standard_layers("NOM", environ, etc)] == [str(mine / "NOM.toml")]


def test_xdg_config_home_counts_unless_relative(tmp_path: Path) -> None:
    (tmp_path / "livered").mkdir()
    (tmp_path / "livered" / "NOM.toml").write_text("")
    etc = tmp_path / "etc"
    home = {"HOME": str(tmp_path / "home")}
    assert len(standard_layers("NOM", {**home, "XDG_CONFIG_HOME": str(tmp_path)}, etc)) == 1
    assert standard_layers("NOM", {**home, "XDG_CONFIG_HOME": os.path.relpath(tmp_path)}, etc) == []


def test_problems_of_both_standard_files_are_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "livered").mkdir()
    (tmp_path / "NOM.toml").write_text("a")
    (tmp_path / "livered" / "NOM.toml").symlink_to(tmp_path / "gone")
    with pytest.raises(ConfigError) as error:
        standard_layers("NOM", {"XDG_CONFIG_HOME": str(tmp_path)}, tmp_path)
    assert [("not valid TOML" in text, "cannot be read" in text) for text in error.value.problems] == [
        (True, False),
        (False, True),
    ]


def test_a_standard_file_that_cannot_be_reached_is_not_passed_over(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    etc.symlink_to(etc)
    with pytest.raises(ConfigError, match=r"NOM\.toml cannot be read"):
        standard_layers("NOM", {"HOME": str(tmp_path)}, etc)


@pytest.mark.parametrize("name", ["../NOM", "", "NOM/x", ".", "N M", "NOM\n"])
def test_an_instrument_name_cannot_lead_elsewhere(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="short instrument name"):
        standard_layers(name, {}, tmp_path)


def test_the_instrument_is_named_by_option_then_environment_then_file(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('instrument = "NOM"')
    environ = {"LIVERED_INSTRUMENT": "POWGEN"}
    assert instrument_name("SNAP", path, environ) == "SNAP"
    assert instrument_name(None, path, environ) == "POWGEN"
    assert instrument_name(None, path, {}) == "NOM"
    with pytest.raises(ConfigError, match="--instrument"):
        instrument_name(None, None, {})
    path.write_text("instrument = 3")
    with pytest.raises(ConfigError, match="3"):
        instrument_name(None, path, {})


# --- environment


def test_environment_variables_become_keys() -> None:
    read = environment_layer(
        {
            "LIVERED_UPDATE_EVERY": "10",
            "LIVERED_PLUGINS__NOM__CALIBRATION": "cal.h5",
            "LIVERED_PLUGINS__NOM__N_BINS": "3",
            "XLIVERED_A": "1",
            "livered_b": "1",
            "HOME": "/home/x",
        },
        HERE,
    )
    assert read == Layer(
        "environment",
        {"update_every": "10", "plugins": {"nom": {"calibration": "cal.h5", "n_bins": "3"}}},
        HERE,
    )
    assert environment_layer({}).base_dir == Path.cwd()


def test_wrong_environment_variables_are_all_said() -> None:
    with pytest.raises(ConfigError) as error:
        environment_layer(
            {
                "LIVERED_": "1",
                "LIVERED_A____B": "1",
                "LIVERED_SOURCE": "1",
                "LIVERED_SOURCE__QUEUE_EVENTS": "1",
                "LIVERED_LOG__FILE": "1",
                "LIVERED_LOG__FILE__X": "1",
                "LIVERED_" + "__".join("A" * 100): "1",
            }
        )
    assert len(error.value.problems) == 5
    assert all("LIVERED_" in text and "unset" in text for text in error.value.problems)


def test_upper_and_lower_case_of_one_variable_contradict_each_other() -> None:
    with pytest.raises(ConfigError, match="contradicts"):
        environment_layer({"LIVERED_A": "1", "LIVERED_a": "2"})


# --- merge


def test_the_later_layer_wins_key_by_key() -> None:
    merged = merge(
        [
            layer("a", update_every=1, source={"queue_events": 1, "retry_first": 1}),
            layer("b", source={"queue_events": 2}, banks=[1, 2]),
            layer("c", banks=[3]),
        ]
    )
    assert merged.values == {
        "update_every": 1,
        "source": {"queue_events": 2, "retry_first": 1},
        "banks": [3],
    }
    assert merged.origins == {
        "update_every": "a",
        "source.queue_events": "b",
        "source.retry_first": "a",
        "banks": "c",
    }
    assert merged.sources["banks"].base_dir == HERE / "c"


def test_keys_keep_the_place_where_they_first_appeared() -> None:
    merged = merge([layer("a", plugins={"x": {}, "y": {}}), layer("b", plugins={"z": {}, "x": {"k": 1}})])
    assert list(merged.values["plugins"]) == ["x", "y", "z"]


def test_an_empty_table_is_kept_and_takes_nothing_away() -> None:
    merged = merge([layer("a", plugins={"x": {}, "y": {"k": 1}}), layer("b", plugins={"y": {}, "z": {}})])
    assert merged.values == {"plugins": {"x": {}, "y": {"k": 1}, "z": {}}}
    assert merged.origins == {"plugins.x": "a", "plugins.y.k": "a", "plugins.z": "b"}


def test_tables_and_values_replace_each_other_whole() -> None:
    merged = merge([layer("a", t={"k": 1, "l": {"m": 2}}, v=3), layer("b", t=4, v={"k": 5})])
    assert merged.values == {"t": 4, "v": {"k": 5}}
    assert merged.origins == {"t": "b", "v.k": "b"}


def test_none_means_not_given() -> None:
    merged = merge([layer("a", k=1), layer("b", k=None, plugins={"nom": {"calibration": None}})])
    assert merged == merge([layer("a", k=1)])


def test_layers_are_not_changed() -> None:
    first: dict[str, Any] = {"t": {"k": 1}, "e": {}}
    merge([Layer("a", first, HERE), layer("b", t={"k": 2}, e={"k": 3})])
    assert first == {"t": {"k": 1}, "e": {}}


def test_plugins_can_be_left_out() -> None:
    merged = merge([layer("a", k=1, plugins={"x": {"k": 1}, "y": {"k": 2}})])
    assert merged.without_plugins(["x"]) == merge([layer("a", k=1, plugins={"y": {"k": 2}})])
    assert merged.without_plugins(["x", "y"]) == merge([layer("a", k=1)])
    assert merged.without_plugins([]) == merged


keys = st.sampled_from(["a", "b", "c", "a.b"])
trees = st.recursive(
    st.integers() | st.none() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
stacks = st.lists(st.dictionaries(keys, trees, max_size=3), max_size=4)


def flat(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    found: dict[tuple[str, ...], Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, (*path, key))
        else:
            found[(*path, key)] = value
    return found


def merged_flat(stack: list[dict[str, Any]]) -> dict[tuple[str, ...], tuple[Any, str]]:
    """The rules of merging, said of paths instead of tables."""
    result: dict[tuple[str, ...], tuple[Any, str]] = {}
    for number, values in enumerate(stack):
        for path, value in flat(values).items():
            if value is None:
                continue
            below = [other for other in result if len(other) > len(path) and other[: len(path)] == path]
            if value == {} and isinstance(value, dict) and below:
                continue
            for other in [*below, *(path[:n] for n in range(1, len(path)))]:
                result.pop(other, None)
            result[path] = (value, str(number))
    return result


@given(stacks)
def test_merge_is_what_the_rules_say(stack: list[dict[str, Any]]) -> None:
    merged: Merged = merge([Layer(str(n), values, HERE / str(n)) for n, values in enumerate(stack)])
    expected = merged_flat(stack)
    assert flat(merged.values) == {path: value for path, (value, _) in expected.items()}
    assert merged.origins == {dotted(path): origin for path, (_, origin) in expected.items()}
    assert all(source.base_dir == HERE / source.origin for source in merged.sources.values())


@given(stacks)
def test_every_value_of_the_last_layer_is_there(stack: list[dict[str, Any]]) -> None:
    merged = merge([Layer(str(n), values, HERE) for n, values in enumerate([*stack, {"a": {"b": 7}}])])
    assert merged.values["a"]["b"] == 7
    assert merged.origins["a.b"] == str(len(stack))


def test_parse_layer_keeps_origin_and_folder() -> None:
    assert parse_layer("a = 1", "packaged defaults of x 1.0", HERE) == Layer(
        "packaged defaults of x 1.0", {"a": 1}, HERE
    )
