"""The whole program: a simulated run is reduced and its curves arrive at a monitor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from livered_core.testing.monitor_answers import replies
from livered_core.testing.monitor_request import HTML
from livered_support import livered

from .conftest import PASSWORD

pytest.importorskip("livered_nom", reason="needs an instrument: the NOM plugin")
pytest.importorskip("NCrystal", reason="needs the simulated beamline")

CONFIG = """
update_every = 0.5
[simulate]
run_length = 2.0
rate = 100000.0
run_number = {run}
title = "<script>alert(1)</script>"
[plugins.publish_monitor]
url = "{url}"
credentials_file = "{login}"
min_interval = 0.0
"""
SECOND = """
[plugins.second]
plugin = "publish_monitor"
url = "{url}"
credentials_file = "{login}"
min_interval = 0.0
[publish]
stop_timeout = 1.0
"""
RUN = ("run", "--instrument", "NOM", "--simulate", "--stop-after-run", "--config", "c.toml")


def finals_of(server: Any) -> list[int]:
    return [each.run for each in server.uploads if 'data-final="true"' in each.text]


class TestTwoTargets:
    """Each is a sink of its own: what one has taken it does not get again, whatever the other does."""

    def configure(self, folder: Path, first: Any, second: Any, login: Path, run: int) -> None:
        table = SECOND.format(url=second.url, login=login)
        (folder / "c.toml").write_text(CONFIG.format(url=first.url, login=login, run=run) + table)

    @pytest.mark.slow
    def test_one_that_is_down_gets_later_what_the_other_has_taken_once(
        self, server: Any, start_server: Any, tmp_path: Path, write_credentials: Callable[..., Path]
    ) -> None:
        other, login = start_server(None), write_credentials()
        other.answer_with(then=replies(503))
        self.configure(tmp_path, server, other, login, 77)
        down = livered(tmp_path, *RUN)
        assert down.returncode == 0, down
        assert finals_of(server) == [77]
        assert len(server.uploads) >= 2
        assert server.pages["nom", 77].data_type == HTML
        page = server.pages["nom", 77].text
        assert page.startswith("<div")
        for bank in ("bank 1 - 15 deg", "bank 5 - 154 deg"):
            assert bank in page
        assert "<script>alert" not in page
        assert other.uploads == []
        assert other.requests
        other.answer_with()
        self.configure(tmp_path, server, other, login, 78)
        up = livered(tmp_path, *RUN)
        assert up.returncode == 0, up
        assert finals_of(server) == [77, 78]
        assert finals_of(other) == [77, 78]
        log = (tmp_path / "livereduce.log").read_text()
        assert (
            f"second took {len(other.uploads[-1].text.encode())} bytes to http://127.0.0.1:{other.port}/"
            in log
        )

    def test_check_tries_each(
        self, server: Any, start_server: Any, tmp_path: Path, write_credentials: Callable[..., Path]
    ) -> None:
        other = start_server(None)
        other.answer_with(then=replies(401))
        self.configure(tmp_path, server, other, write_credentials(), 77)
        result = livered(tmp_path, "check", "--instrument", "NOM", "--config", "c.toml")
        assert "plugins.second: The live data server at" in result.stderr
        assert "plugins.publish_monitor" not in result.stderr
        assert (len(server.requests), len(other.requests)) == (1, 1)
        assert server.pages == other.pages == {}


def test_monitors_that_are_down_cost_the_run_nothing_and_the_password_is_nowhere(
    server: Any, start_server: Any, tmp_path: Path, write_credentials: Callable[..., Path]
) -> None:
    other = start_server(None)
    server.answer_with(then=replies(401, body=PASSWORD.encode()))
    other.answer_with(then=replies(500, body=PASSWORD.encode()))
    login = write_credentials()
    table = SECOND.format(url=other.url, login=login)
    (tmp_path / "c.toml").write_text(CONFIG.format(url=server.url, login=login, run=77) + table)
    done = livered(tmp_path, *RUN)
    assert done.returncode == 0, done
    assert "Sink publish_monitor did not take the final result of run 77" in done.stdout
    assert "Sink second did not take the final result of run 77" in done.stdout
    assert "complete; final" in done.stdout
    assert (tmp_path / "output" / "NOM-simulated" / "NOM_77.h5").exists()
    assert len(server.requests) == 1, "a refused login was tried again"
    assert len(other.requests) > 1
    said = {"screen": done.stdout, "errors": done.stderr}
    for path in tmp_path.rglob("*"):
        if path.is_file() and path != login:
            said[str(path.relative_to(tmp_path))] = path.read_bytes().decode("utf-8", "replace")
    assert {"livereduce.log", "run/livered/NOM-simulated/status.json"} <= set(said)
    assert "refused the login" in said["livereduce.log"]
    assert "refused the login" in said["run/livered/NOM-simulated/status.json"]
    assert said["livereduce.log"].count("refused the login: correct username") <= 4
    assert [name for name, text in said.items() if PASSWORD in text] == []


def test_check_tells_of_a_wrong_login(
    server: Any, tmp_path: Path, write_credentials: Callable[..., Path]
) -> None:
    folder = tmp_path
    (folder / "c.toml").write_text(CONFIG.format(url=server.url, login=write_credentials(), run=77))
    arguments = ("check", "--instrument", "NOM", "--config", "c.toml")
    assert livered(folder, *arguments, "--no-connect").returncode == 0
    assert server.requests == []
    write_credentials(password="wrong")
    result = livered(folder, *arguments)
    assert result.returncode == 2
    assert "plugins.publish_monitor: " in result.stderr
    assert "refused the login" in result.stderr
    write_credentials(mode=0o644)
    assert "chmod 600" in livered(folder, "run", "--instrument", "NOM", "--config", "c.toml").stderr
