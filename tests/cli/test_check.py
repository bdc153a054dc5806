"""``livered check``: which backend, and what is said of an address that only Mantid knows."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from livered_core.cli import app


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Call the command for an instrument that only Mantid knows, where Mantid is not installed."""
    for name, folder in (("HOME", "."), ("XDG_CONFIG_HOME", "config"), ("XDG_RUNTIME_DIR", "run")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setitem(sys.modules, "mantid", None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "post.py").write_text("output = input\n")
    (tmp_path / "c.toml").write_text('backend = "mantid"\n[plugins.scripts]\npost_process = "post.py"\n')
    arguments = ["check", "--instrument", "PG3", "--config", "c.toml", "--no-connect"]
    return lambda *more: CliRunner().invoke(app, [*arguments, *more])


def test_an_address_that_only_mantid_knows_is_not_missing_where_mantid_is(check):
    done = check()
    assert done.exit_code == 2
    (problem,) = done.stderr.splitlines()
    assert problem.startswith("livered: Mantid is not installed here: ")


def test_an_address_that_is_configured_is_told_without_mantid(check, monkeypatch):
    monkeypatch.setenv("LIVERED_ADDRESS", "localhost:31415")
    done = check()
    assert "address:       localhost:31415, not tried" in done.stdout
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("wanted", "problems"),
    [
        ("native", ["Plugin scripts", "address is empty"]),
        ("mantid", ["Mantid is not installed here"]),
        ("quick", ["backend (command line) must be one of"]),
    ],
)
def test_the_backend_that_the_command_line_names_is_checked(check, monkeypatch, wanted, problems):
    monkeypatch.setenv("LIVERED_BACKEND", "auto")
    done = check("--backend", wanted)
    said = done.stderr.splitlines()
    assert done.exit_code == 2
    assert len(said) == len(problems), done.stderr
    for sentence, problem in zip(said, problems, strict=True):
        assert sentence.startswith(f"livered: {problem}")
