"""``livered config import`` as a person calls it."""

from __future__ import annotations

import json
import stat

import pytest
from click.testing import CliRunner

from livered_core import ConfigError
from livered_core.cli import app
from livered_core.config.toml import parse_toml

PUBLISHING = {
    "publish_url_template": "https://m.example.org/plots/${instrument}/${run_number}/upload_plot_data/",
    "publisher_username": "someone",
    "publisher_password": "hush",
}


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Call the command in a folder with a livereduce.conf, its script and a post_processing.conf."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reduce_NOM_live_proc.py").write_text("output = input\n")
    conf = {"instrument": "NOMAD", "script_dir": ".", "watchdog": {}}
    (tmp_path / "livereduce.conf").write_text(json.dumps(conf))
    (tmp_path / "post_processing.conf").write_text(json.dumps(PUBLISHING))

    def call_it(*arguments):
        return CliRunner().invoke(app, ["config", "import", *arguments], catch_exceptions=True)

    return call_it


def test_it_is_printed_and_nothing_is_written(call, tmp_path):
    before = set(tmp_path.iterdir())
    result = call("livereduce.conf", "post_processing.conf")
    assert result.exit_code == 0, result.output
    table = parse_toml(result.stdout, "stdout")
    assert table["instrument"] == "NOM"
    assert table["plugins"]["scripts"]["process"] == str(tmp_path / "reduce_NOM_live_proc.py")
    assert table["hooks"]["owner"]["post_process"] == "scripts"
    assert table["plugins"]["publish_monitor"]["credentials_file"] == "NOM_credentials.toml"
    assert "hush" not in result.output
    assert "Not carried over: watchdog;" in result.stderr
    assert "--output ~/.config/livered/NOM.toml" in result.stderr
    assert set(tmp_path.iterdir()) == before


def test_it_is_written_once_and_the_login_is_private(call, tmp_path):
    output = tmp_path / "new" / "NOM.toml"
    result = call("livereduce.conf", "post_processing.conf", "--output", str(output))
    assert result.exit_code == 0, result.output
    login = tmp_path / "new" / "NOM_credentials.toml"
    assert stat.S_IMODE(login.stat().st_mode) == 0o600
    assert parse_toml(login.read_text(), "login") == {"username": "someone", "password": "hush"}
    assert (
        parse_toml(output.read_text(), "new")["plugins"]["publish_monitor"]["credentials_file"] == login.name
    )
    assert "hush" not in result.output + output.read_text()

    output.unlink()
    output.write_text("mine")
    result = call("livereduce.conf", "post_processing.conf", "--output", str(output))
    assert isinstance(result.exception, ConfigError)
    assert [f"{path} is there already" in str(result.exception) for path in (output, login)] == [True, True]
    assert output.read_text() == "mine"
    assert call("livereduce.conf", "--output", str(output), "--force").exit_code == 0
    assert output.read_text() != "mine"


def test_what_was_written_is_what_livered_runs_with(call, tmp_path):
    call("livereduce.conf", "--output", str(tmp_path / "NOM.toml"))
    shown = CliRunner().invoke(
        app, ["config", "show", "-i", "NOM", "--config", str(tmp_path / "NOM.toml"), "--json"]
    )
    rows = {row["path"]: row["value"] for row in json.loads(shown.stdout)}
    assert rows["plugins.scripts.process"] == str(tmp_path / "reduce_NOM_live_proc.py")
    assert rows["backend"] == "mantid"


@pytest.mark.parametrize(
    ("content", "arguments", "sentence"),
    [
        ('{"a": 1}', (), "no key of a livereduce.conf"),
        ("{", (), "is not valid JSON on line 1"),
        ("{}", (), "names no instrument"),
        ("{}", ("livereduce.conf", "-i", "NOM"), "is a second livereduce.conf"),
        ('{"instrument": 3, "periods": "x"}', (), "periods in other.conf must be"),
    ],
)
def test_what_is_wrong_is_said(call, tmp_path, content, arguments, sentence):
    (tmp_path / "other.conf").write_text(content)
    result = call("other.conf", *arguments)
    assert isinstance(result.exception, ConfigError)
    assert sentence in str(result.exception)
    assert result.stdout == ""


def test_a_file_that_cannot_be_written_is_said(call, tmp_path):
    result = call("livereduce.conf", "--output", str(tmp_path / "post_processing.conf" / "NOM.toml"))
    assert isinstance(result.exception, ConfigError)
    assert "cannot be written (" in str(result.exception)
