import json
from collections.abc import Mapping
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner

from livered_core.cli.config import config as config_command
from livered_core.cli.config import rows_as_json, rows_as_toml
from livered_core.config import (
    Config,
    Layer,
    Merged,
    describe,
    environment_layer,
    merge,
    parse_layer,
    structure,
)

ENVIRON = {
    "HOME": "/home/somebody",
    "LIVERED_SOURCE__QUEUE_EVENTS": "5",
    "LIVERED_HOOKS__OWNER": "{accumulate='nom'}",
}
CWD = Path("/cwd")


@attrs.frozen
class Settings:
    calibration: Path | None = attrs.field(default=None, metadata={"help": "the file", "unit": ""})
    timeout: float = attrs.field(default=3.0, metadata={"help": "how long", "unit": "s"})
    names: tuple[str, ...] = ("a", "b")
    limits: Mapping[str, float] = attrs.field(factory=dict)


PLUGINS: dict[str, type | None] = {"nom": Settings, "files": None}


def loaded() -> tuple[Config, Merged]:
    text = """
        update_every = 10
        output_dir = "out/{instrument}"
        plugins.nom.limits = {low = 1, "a.b" = 2}
    """
    merged = merge(
        [
            parse_layer(text, "NOM.toml", Path("/etc/livered")),
            environment_layer(ENVIRON, CWD),
            Layer("command line", {"instrument": "NOM", "backend": "native"}, CWD),
        ]
    )
    return structure(merged, PLUGINS, ENVIRON, CWD), merged


def test_every_value_has_its_origin_help_and_unit() -> None:
    rows = {row.path: row for row in describe(*loaded())}
    assert {path: (row.value, row.origin) for path, row in rows.items() if row.origin != "built in"} == {
        "instrument": ("NOM", "command line"),
        "backend": ("native", "command line"),
        "update_every": (10.0, "NOM.toml"),
        "output_dir": ("/etc/livered/out/NOM", "NOM.toml"),
        "source.queue_events": (5, "environment"),
        "hooks.owner.accumulate": ("nom", "environment"),
        "plugins.nom.limits.low": (1.0, "NOM.toml"),
        'plugins.nom.limits."a.b"': (2.0, "NOM.toml"),
    }
    assert (rows["plugins.nom.timeout"].help, rows["plugins.nom.timeout"].unit) == ("how long", "s")
    assert rows["plugins.nom.names"].value == ["a", "b"]
    assert rows["plugins.nom.calibration"].value is None
    assert rows["plugins.files"].value == {}
    assert rows["log.file"].value == "/cwd/livereduce.log"


def test_no_field_is_left_out_and_each_core_key_has_help() -> None:
    config, merged = loaded()
    rows = describe(config, merged)
    shown = {row.path.split(".")[0] for row in rows}
    assert shown == {field.name for field in attrs.fields(Config)}
    assert {row.path for row in rows if row.path.startswith("log.")} == {
        f"log.{field.name}" for field in attrs.fields(type(config.log))
    }
    assert all(row.help for row in rows if not row.path.startswith("plugins."))


def test_the_text_is_toml_that_gives_the_same_configuration() -> None:
    config, merged = loaded()
    text = rows_as_toml(describe(config, merged))
    again = structure(
        merge([parse_layer(text, "shown", Path("/elsewhere"))]), PLUGINS, ENVIRON, Path("/elsewhere")
    )
    assert again == config


def test_the_text_names_unit_and_origin() -> None:
    lines = rows_as_toml(describe(*loaded())).splitlines()
    assert [line.split() for line in lines if line.startswith("update_every ")] == [
        ["update_every", "=", "10.0", "#", "s;", "NOM.toml"]
    ]
    assert any(line.startswith("# start_time is not set") and line.endswith("# built in") for line in lines)


def test_an_origin_cannot_break_out_of_its_comment() -> None:
    merged = merge([Layer("a\nbackend = 'mantid'\x1b[2J", {"instrument": "NOM"}, CWD)])
    config = structure(merged, {}, ENVIRON, CWD)
    text = rows_as_toml(describe(config, merged))
    assert "\x1b" not in text
    again = structure(merge([parse_layer(text, "shown", CWD)]), {}, ENVIRON, CWD)
    assert again == config


def test_json_has_the_same_rows() -> None:
    rows = describe(*loaded())
    assert json.loads(rows_as_json(rows)) == [
        {"path": row.path, "value": row.value, "origin": row.origin, "help": row.help, "unit": row.unit}
        for row in rows
    ]


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("livered_nom", reason="the NOMAD plugin is not installed")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = tmp_path / "mine.toml"
    file.write_text('instrument = "NOM"\nupdate_every = 7\noutput_dir = "out"\n')
    shown = CliRunner().invoke(config_command, ["show", "--config", str(file)], catch_exceptions=False)
    assert shown.exit_code == 0
    (line,) = [line for line in shown.output.splitlines() if line.startswith("update_every")]
    assert line.startswith("update_every = 7.0")
    assert line.endswith(str(file))
    listed = CliRunner().invoke(
        config_command, ["show", "--config", str(file), "--json"], catch_exceptions=False
    )
    rows = {row["path"]: row for row in json.loads(listed.output)}
    assert rows["output_dir"]["value"] == str(tmp_path / "out")
    assert rows["address"]["origin"].startswith("packaged defaults of livered-nom")
