"""One dashboard for all tests of a module, and run directories for it."""

from __future__ import annotations

import itertools

import httpx
import pytest

from dashboard_support import RunFolder, running_dashboard
from waiting import until

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder for a person's home, with the runtime folder ``run`` in it."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def address(home):
    """Where a dashboard of that person listens."""
    with running_dashboard(home) as (where, _):
        yield where


@pytest.fixture(scope="module")
def client(address):
    with httpx.Client(base_url=address) as session:
        yield session


@pytest.fixture
def nom(home, client):
    """A run directory that the dashboard has seen, with a living engine in it; another one for each test."""
    folder = RunFolder(home / "run" / "livered", f"NOM{next(_NUMBERS)}")
    folder.status()
    until(lambda: folder.name in names(client))
    return folder


def names(client):
    """Names of the instruments that the dashboard shows."""
    return [item["name"] for item in client.get("/api/instruments").json()["instruments"]]
