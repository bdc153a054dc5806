"""The pytest plugin of the test kit: fixtures for tests of plugins.

pytest loads it wherever livered is installed, so that it imports nothing of the kit before a test asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from livered_core.testing import LeakWatch, ManualClock, MonitorServer, PluginHarness, StreamServer

_FAILED = pytest.StashKey[bool]()


@pytest.fixture
def livered_clock() -> ManualClock:
    """Give a clock that stands still until the test moves it: `livered_core.testing.ManualClock`."""
    from livered_core.testing import ManualClock

    return ManualClock()


@pytest.fixture
def plugin_harness() -> Iterator[Callable[..., PluginHarness]]:
    """Give a function with the arguments of `livered_core.testing.PluginHarness`.

    The session of a harness begins with its first use, or with ``start_session``, and ends with the test.
    """
    from livered_core.testing import PluginHarness

    with ExitStack() as sessions:

        def make(*args: Any, **options: Any) -> PluginHarness:
            harness = PluginHarness(*args, **options)
            sessions.callback(harness.end_session)
            return harness

        yield make


@pytest.fixture
def stream_server() -> Iterator[Callable[..., StreamServer]]:
    """Give a function with the arguments of `livered_core.testing.stream_server`, whose servers end with the test."""
    from livered_core.testing import stream_server as serve

    with ExitStack() as servers:
        yield lambda *scripts: servers.enter_context(serve(*scripts))


@pytest.fixture
def monitor_server() -> Iterator[MonitorServer]:
    """Give a stand-in for the facility's monitor, which ends with the test: `livered_core.testing.MonitorServer`."""
    from livered_core.testing import MonitorServer

    with MonitorServer() as server:
        yield server


@pytest.fixture
def no_leaks(request: pytest.FixtureRequest) -> Iterator[LeakWatch]:
    """Fail a test that leaves threads, files, child processes, variables or settings: `livered_core.testing.no_leaks`.

    It begins before the test's other fixtures and looks after they have ended, except those that several tests share. What
    may stay is said with ``ignore`` of what it gives. A test that fails anyhow is not asked.
    """
    from livered_core.testing import LeakWatch

    watch = LeakWatch()
    yield watch
    sentence = "" if request.node.stash.get(_FAILED, False) else watch.sentence()
    if sentence:
        pytest.fail(sentence, pytrace=False)


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest) -> None:
    """Let the watch of `no_leaks` begin before all other fixtures of its test."""
    is_another_of_the_test = fixturedef.scope == "function" and fixturedef.argname not in (
        "no_leaks",
        "request",
    )
    if is_another_of_the_test and "no_leaks" in request.fixturenames:
        request.getfixturevalue("no_leaks")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember that a test has failed: what it has left is then no news."""
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
    return report
