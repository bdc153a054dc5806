"""Settings and code that change while Mantid's workspaces are accumulated."""

from __future__ import annotations

import sys
import textwrap
from importlib.metadata import entry_points

import pytest

from live_mantid import PIXELS, PULSE, beat, end_of, now_ns, prologue, pulses
from livered_core.adara import Heartbeat, RunStatusCode
from livered_core.clocks import SystemClock
from livered_core.engine.reload_setup import LoadAgain
from livered_core.engine.session import Session
from livered_core.engine.setup import load_configuration
from sms_support import scripted_server
from waiting import until

RESULTS = """
from livered_core import hookimpl

RESULTS, FAILURES = [], []

class Plugin:
    @hookimpl
    def post_publish(self, result, run, update):
        RESULTS.append((result.curves[0].label, result.curves[0].y.sum(), update, dict(result.metadata)))

    @hookimpl
    def on_error(self, failure):
        FAILURES.append(failure)
"""
PROCESS = """
Rebin(InputWorkspace=input, OutputWorkspace=output, Params="0,100,20000", PreserveEvents=False)
"""
POST_PROCESS = """
summed = SumSpectra(InputWorkspace=input)
output = summed
"""


class Again(LoadAgain):
    """Of these plugins only, whatever else is installed."""

    def __call__(self):
        ours = list(entry_points(group="livered.plugins"))
        return load_configuration(self.instrument, self.config_file, self.flags, self.environ, available=ours)


@pytest.mark.parametrize("asked", [False, True], ids=["settings that changed", "all code, when asked"])
def test_what_is_accumulated_goes_on(install, tmp_path, monkeypatch, asked):
    points = {"livered.plugins": ["results = reload_results:Plugin"]}
    install("reload-results", {"reload_results.py": RESULTS}, points)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir(mode=0o700)
    for name, text in (("process", PROCESS), ("first", POST_PROCESS), ("second", POST_PROCESS)):
        (tmp_path / f"{name}.py").write_text(text.replace("summed", f"{name}_sum"))
    environ = {"XDG_RUNTIME_DIR": str(tmp_path / "run"), "HOME": str(tmp_path)}
    config = tmp_path / "c.toml"

    def configure(post_process):
        config.write_text(
            textwrap.dedent(f"""
            address = "{server.address}"
            backend = "mantid"
            update_every = 0.3
            run_transition = "stop"
            output_dir = "{tmp_path}/out"
            [reload]
            watch = {"false" if asked else "true"}
            every = 0.1
            [plugins.results]
            [plugins.scripts]
            process = "process.py"
            post_process = "{post_process}.py"
            """)
        )

    def newest():
        # While it is imported anew, there may be none.
        results = getattr(sys.modules.get("reload_results"), "RESULTS", [])
        return results[-1] if results else ("", 0, None, {})

    def script(client):
        try:
            play(client)
        except BaseException:
            # Nothing comes any more that could end it.
            session.stop()
            raise

    def play(client):
        start_ns = now_ns()
        client.send(*prologue(7, start_ns), *pulses(start_ns, 0, 20))
        until(lambda: client.send(Heartbeat(time_ns=now_ns())) or newest()[0] == "first_sum")
        configure("second")
        if asked:
            session.reload("the test")
        until(lambda: client.send(Heartbeat(time_ns=now_ns())) or newest()[0] == "second_sum")
        client.send(*pulses(start_ns, 20, 60))
        end_ns = start_ns + 60 * PULSE
        client.send(end_of(7, start_ns, end_ns), *prologue(0, end_ns, RunStatusCode.NO_RUN))
        beat(client)

    with scripted_server(script) as server:
        configure("first")
        again = Again("PG3", config, {}, None, environ)
        session = Session(again(), SystemClock(), environ=environ, again=again)
        assert session.run() == 0
    label, total, update, metadata = newest()
    assert label == "second_sum"
    assert update.final
    assert update.complete, update.missing
    assert total == update.n_events == 60 * len(PIXELS)
    assert "reloaded" in metadata
    assert sys.modules["reload_results"].FAILURES == []
