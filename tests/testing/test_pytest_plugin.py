"""The pytest plugin of the test kit, in sessions of pytest of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

# What is imported during a session of pytester is forgotten after it, and cannot be imported twice.
import livered_core.testing.fake_stream_server
import livered_core.testing.harness
import livered_core.testing.leaks
import livered_core.testing.monitor_server  # noqa: F401

pytest_plugins = ["pytester"]

HEAVY = ("numba", "h5py", "scipy", "plotly", "NCrystal", "hypothesis", "mantid")
PLUGIN = """
    from livered_core import Receipt, hookimpl

    class Counts:
        data_models = ("native",)
        ended = 0

        @hookimpl
        def process_chunk(self, chunk):
            return chunk.n_events

        @hookimpl
        def session_ended(self, session):
            Counts.ended += 1
"""


def passed(pytester: pytest.Pytester, source: str, **outcomes: int) -> pytest.RunResult:
    pytester.makepyfile(plugin=PLUGIN, test_it=source)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist", "-q")
    result.assert_outcomes(**(outcomes or {"passed": source.count("def test_")}))
    return result


def test_the_fixtures_of_the_kit_are_there(pytester: pytest.Pytester) -> None:
    passed(
        pytester,
        """
        from plugin import Counts
        import socket

        from livered_core.adara import ClientHello, Heartbeat, StartRequest, encode
        from livered_core.testing import FIRST_PULSE_NS, ManualClock, one_event_chunk

        BEAT = Heartbeat(time_ns=FIRST_PULSE_NS)
        HELLO = ClientHello(time_ns=FIRST_PULSE_NS, start=StartRequest.now())

        def test_clock(livered_clock):
            livered_clock.advance(5.0)
            assert isinstance(livered_clock, ManualClock)

        def test_harness(plugin_harness, livered_clock):
            harness = plugin_harness(Counts, clock=livered_clock, name="other")
            assert [call.hook for call in harness.transcript] == []
            harness.feed(one_event_chunk())
            other = plugin_harness(Counts)
            other.feed(one_event_chunk())
            assert (harness.accumulated, harness.name, Counts.ended) == (1, "other", 0)

        def test_the_end_of_the_test_ended_the_sessions():
            assert Counts.ended == 2

        def test_stream(stream_server):
            server = stream_server([BEAT])
            host, _, port = server.address.rpartition(":")
            with socket.create_connection((host, int(port)), 5) as connection:
                connection.sendall(encode(HELLO))
                assert connection.recv(4)

        def test_monitor(monitor_server):
            assert monitor_server.port > 0
        """,
    )


def test_what_fails_at_the_end_of_a_session_is_an_error(pytester: pytest.Pytester) -> None:
    result = passed(
        pytester,
        """
        from livered_core import hookimpl

        class Bad:
            @hookimpl
            def session_ended(self, session):
                raise KeyError("x")

        def test_bad(plugin_harness):
            plugin_harness(Bad).start_session()

        def test_unused(plugin_harness):
            plugin_harness(Bad)
        """,
        passed=2,
        errors=1,
    )
    result.stdout.fnmatch_lines(["*HookError: Plugin bad*failed in session_ended: KeyError: 'x'"])


def test_a_test_that_leaks_fails_and_one_that_does_not_passes(pytester: pytest.Pytester) -> None:
    result = passed(
        pytester,
        """
        import os
        import pytest

        def test_clean(no_leaks, tmp_path):
            with (tmp_path / "x").open("w"):
                pass

        def test_variable(no_leaks):
            os.environ["LIVERED_LEFT"] = "1"

        def test_put_back(no_leaks, monkeypatch):
            monkeypatch.setenv("LIVERED_PUT_BACK", "1")

        def test_said(no_leaks):
            no_leaks.ignore("variable LIVERED_SAID")
            os.environ["LIVERED_SAID"] = "1"

        def test_the_end():
            for name in ("LIVERED_LEFT", "LIVERED_SAID"):
                del os.environ[name]
        """,
        passed=5,
        errors=1,
    )
    result.stdout.fnmatch_lines(["*ERROR*test_variable*"])
    result.stdout.fnmatch_lines(["*left behind*LIVERED_LEFT*"])


def test_it_is_light_and_every_name_is_there() -> None:
    """pytest loads it in every environment that has livered, for tests that are not of livered at all."""
    code = f"""
import importlib, sys, types
import livered_core
before = set(sys.modules)
import livered_core.testing.pytest_plugin
new = {{name for name in set(sys.modules) - before if name.startswith("livered_core")}}
assert new == {{"livered_core.testing", "livered_core.testing.pytest_plugin"}}, new
kit = livered_core.testing
# A module with the name of what it holds would take its place once it is imported.
for module in kit._WHERE:
    importlib.import_module(module)
    heavy = [name for name in {HEAVY} if name in sys.modules]
    assert not heavy, (module, heavy)
assert not [name for name in kit.__all__ if isinstance(getattr(kit, name), types.ModuleType)]
assert sorted(kit._MODULE_OF) == sorted(kit.__all__) == sorted(dir(kit))
"""
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)


def test_a_name_that_there_is_not_is_said() -> None:
    import livered_core.testing as kit

    with pytest.raises(AttributeError, match="has no attribute 'make_runs'"):
        _ = kit.make_runs
