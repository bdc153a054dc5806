"""The whole program: a simulated run is reduced and its curves arrive at a monitor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from livered_support import livered

from .conftest import PASSWORD

pytest.importorskip("livered_nom", reason="needs an instrument: the NOM plugin")
pytest.importorskip("NCrystal", reason="needs the simulated beamline")

CONFIG = """
update_every = 0.5
[simulate]
run_length = 3.0
rate = 100000.0
run_number = 77
title = "<script>alert(1)</script>"
[plugins.publish_monitor]
url = "{url}"
credentials_file = "{login}"
min_interval = 0.0
"""
RUN = ("run", "--instrument", "NOM", "--simulate", "--stop-after-run", "--config", "c.toml")


@pytest.fixture
def folder(server: Any, write_credentials: Callable[..., Path], tmp_path: Path) -> Path:
    (tmp_path / "c.toml").write_text(CONFIG.format(url=server.url, login=write_credentials()))
    return tmp_path


def test_the_curves_of_a_run_arrive(server: Any, folder: Path) -> None:
    result = livered(folder, *RUN)
    assert result.returncode == 0, result
    kind, page = server.pages["nom", 77]
    assert kind == 1
    assert page.startswith("<div")
    for bank in ("bank 1 - 15 deg", "bank 5 - 154 deg"):
        assert bank in page
    assert "<script>alert" not in page
    posts = [path for method, path in server.requests if method == "POST"]
    assert len(posts) >= 2
    log = (folder / "livereduce.log").read_text()
    assert f"127.0.0.1:{server.server_port}/plots/nom/77/" in log
    assert PASSWORD not in log + result.stdout + result.stderr


def test_a_monitor_that_is_down_costs_the_run_nothing(server: Any, folder: Path) -> None:
    server.forced = lambda handler: handler.answer(500)
    with (folder / "c.toml").open("a") as config:
        config.write("[publish]\nstop_timeout = 5.0\n")
    result = livered(folder, *RUN)
    assert result.returncode == 0, result
    assert "Sink publish_monitor did not take the final result of run 77" in result.stdout
    assert "complete; final" in result.stdout
    assert (folder / "output" / "NOM-simulated" / "NOM_77.h5").exists()


def test_check_tells_of_a_wrong_login(
    server: Any, folder: Path, write_credentials: Callable[..., Path]
) -> None:
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
