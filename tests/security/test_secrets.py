"""Secrets stay in their files: they are in no argument, variable, unit, or print of the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard_support import running_dashboard
from livered_support import livered, private_environment

TOKEN = "a-token-that-nobody-else-knows"
PASSWORD = "a-password-that-nobody-else-knows"
CONFIG = """
[dashboard]
token_file = "{folder}/token"
[plugins.publish_monitor]
url = "https://monitor.example.org/plots/{{instrument}}/{{run}}/upload_plot_data/"
credentials_file = "{folder}/login.toml"
"""


@pytest.fixture
def secrets(tmp_path):
    """A folder with a configuration, and the files of secrets that it names."""
    for name, text in {"token": TOKEN, "login.toml": f'username = "me"\npassword = "{PASSWORD}"\n'}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    (tmp_path / "c.toml").write_text(CONFIG.format(folder=tmp_path))
    return tmp_path


@pytest.mark.promise("S12")
@pytest.mark.parametrize(
    "command",
    [
        ("config", "show"),
        ("config", "show", "--json"),
        ("check", "--no-connect"),
        ("service", "install", "--print"),
    ],
    ids=" ".join,
)
def test_no_command_prints_them(secrets, command):
    pytest.importorskip("livered_nom", reason="needs an instrument: the NOM plugin")
    done = livered(secrets, *command, "-i", "NOM", "--config", "c.toml")
    assert done.returncode == 0, done
    assert done.stdout
    assert TOKEN not in done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr


@pytest.mark.promise("S12")
def test_no_process_carries_the_token_where_others_can_see_it(secrets):
    # `livered run --dashboard` starts it in the same way.
    with running_dashboard(secrets, "--token-file", secrets / "token") as (_, process):
        for name in ("cmdline", "environ", "comm"):
            assert TOKEN.encode() not in Path(f"/proc/{process.pid}/{name}").read_bytes(), name


@pytest.mark.promise("S12")
def test_one_in_the_environment_or_on_the_command_line_is_not_taken(secrets):
    environment = private_environment(secrets, LIVERED_PLUGINS__PUBLISH_MONITOR__PASSWORD=PASSWORD)
    done = livered(secrets, "check", "-i", "NOM", "--config", "c.toml", environment=environment)
    assert done.returncode == 2
    assert "secrets are not kept in the configuration" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    for options in (livered(secrets, command, "--help").stdout for command in ("run", "dashboard", "check")):
        assert "--password" not in options
        assert "--token " not in options
