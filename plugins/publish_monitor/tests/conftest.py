"""A live data server on loopback, and results to post."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livered_core import Curve, Result, RunInfo, Update
from livered_core.testing import LeakWatch, ManualClock, MonitorServer, make_run, make_update
from livered_publish_monitor.plugin import PublishMonitorPlugin
from livered_publish_monitor.settings import MonitorSettings

USERNAME = "live"
PASSWORD = "s3cret-Pa55word"
SECOND = 1_000_000_000
NOON = 1_795_348_800 * SECOND


@pytest.fixture(autouse=True)
def nothing_is_left_behind(no_leaks: LeakWatch) -> None:
    """Threads, connections, files, and variables are the plugin's to end, close and restore."""


def a_server(context: ssl.SSLContext | None = None) -> MonitorServer:
    return MonitorServer(context, username=USERNAME, password=PASSWORD)


@pytest.fixture
def server() -> Iterator[MonitorServer]:
    with a_server() as live:
        yield live


@pytest.fixture
def start_server() -> Iterator[Callable[[ssl.SSLContext | None], MonitorServer]]:
    with ExitStack() as servers:
        yield lambda context: servers.enter_context(a_server(context))


@pytest.fixture
def write_credentials(tmp_path: Path) -> Callable[..., Path]:
    def write(password: str = PASSWORD, mode: int = 0o600) -> Path:
        path = tmp_path / "monitor.toml"
        path.unlink(missing_ok=True)
        path.write_text(f'username = "{USERNAME}"\npassword = "{password}"\n')
        path.chmod(mode)
        return path

    return write


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def make_plugin(
    write_credentials: Callable[..., Path], clock: ManualClock
) -> Iterator[Callable[..., PublishMonitorPlugin]]:
    made: list[PublishMonitorPlugin] = []

    def make(url: str, **settings: Any) -> PublishMonitorPlugin:
        if "credentials_file" not in settings:
            settings["credentials_file"] = write_credentials()
        made.append(PublishMonitorPlugin(settings=MonitorSettings(url=url, **settings), clock=clock))
        return made[-1]

    yield make
    for plugin in made:
        plugin.session_ended()


@pytest.fixture
def result() -> Result:
    x = np.geomspace(0.3, 3.0, 51)
    y = np.linspace(0.0, 5.0, 50)
    return Result(7, "diamond powder", (Curve("bank 2", x, y, np.sqrt(y), "angstrom", "counts/uC"),))


@pytest.fixture
def run() -> RunInfo:
    return make_run(7, instrument="NOM", proposal="IPTS-1", title="diamond", start_ns=NOON - 600 * SECOND)


def an_update(sequence: int = 1, *, final: bool = False, missing: tuple[str, ...] = ()) -> Update:
    return make_update(
        sequence,
        final=final,
        missing=missing,
        n_chunks=sequence,
        n_pulses=36000,
        n_events=1234567,
        proton_charge_pc=7.2e9,
        first_pulse_ns=NOON - 600 * SECOND,
        last_pulse_ns=NOON - 5 * SECOND,
        dropped_chunks=len(missing),
        lag_ns=5 * SECOND,
    )


@pytest.fixture(name="make_update")
def make_update_of_a_run() -> Callable[..., Update]:
    return an_update
