"""The real program at its memory limit: it sheds, ends, and the next start does not run into the same limit."""

from __future__ import annotations

import json
import os
import signal

import pytest

from adara_support import banked, geometry, new_run, run_info
from led_beamline import led_beamline
from livered_support import private_environment, started
from sms_support import WAIT, scripted_server
from waiting import until

MB = 10**6

PLUGIN = """
    import time

    import numpy as np
    from livered_core import Curve, Result, hookimpl


    def result(run, n):
        return Result(run.number, "sum", (Curve("sum", [0.0], [float(n)], [0.0], "one", "counts"),))


    class Hoarder:
        \"\"\"Keeps more and more of each chunk.\"\"\"

        @hookimpl
        def process_chunk(self, chunk, run):
            return [np.ones(25_000_000, np.uint8)]

        @hookimpl
        def post_process(self, accumulated, run, update):
            return result(run, len(accumulated))


    class Glutton:
        \"\"\"Needs much memory for a large chunk, and none afterwards.\"\"\"

        @hookimpl
        def process_chunk(self, chunk, run):
            held = np.ones(400 * chunk.n_events, np.uint8)
            if chunk.n_events > 1_000_000:
                time.sleep(12)
            return int(held[:1].sum()) * chunk.n_events

        @hookimpl
        def post_process(self, accumulated, run, update):
            return result(run, accumulated)
"""


@pytest.fixture
def environment(tmp_path, install):
    site = install(
        "livered-memory-test",
        {"memory_plugins.py": PLUGIN},
        {"livered.instruments": ["HRD = memory_plugins:Hoarder", "GLT = memory_plugins:Glutton"]},
    )

    def environment(**more):
        path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
        return private_environment(tmp_path, PYTHONPATH=path, **{"LIVERED_UPDATE_EVERY": "0.3", **more})

    return environment


class Told:
    """What a session of an instrument leaves for others to read."""

    def __init__(self, folder, name):
        self._run = folder / "run" / "livered" / name
        self._state = folder / ".local" / "state" / "livered" / name

    def read(self, name):
        try:
            return json.loads((self._run / name).read_text())
        except FileNotFoundError:
            return None

    @property
    def ends(self):
        path = self._state / "memory.json"
        return json.loads(path.read_text())["ends"] if path.exists() else []


@pytest.mark.slow
def test_a_plugin_that_hoards_ends_cleanly_and_the_next_start_leaves_its_data_out(tmp_path, environment):
    told = Told(tmp_path, "HRD")
    with led_beamline(7, "hoarding") as beamline:
        arguments = ("run", "-i", "HRD", "--plain", "--address", beamline.address)
        limited = environment(LIVERED_LIMITS__MEMORY=f"{500 * MB}")
        with started(tmp_path, *arguments, environment=limited) as process:
            text = process.communicate(timeout=90)[0]
        assert process.returncode == 1, text
        (end,) = told.ends
        assert end["certain"]
        assert (end["run"], end["limit"]) == (7, 500 * MB)
        assert end["used"] > end["limit"]
        assert 2 * end["accumulated"] > end["used"]
        log = (tmp_path / "livereduce.log").read_text()
        assert log.count("Memory is short: livered has") == 1
        assert (
            log.count("its limit is 500.0 MB, so it ends: start it again. The next start is more careful")
            >= 1
        )
        assert told.read("status.json")["phase"] == "failed"
        with started(tmp_path, *arguments, environment=limited) as process:

            def begun_anew():
                assert process.poll() is None, process.stdout.read()
                latest, status = told.read("latest.json"), told.read("status.json")
                return (
                    latest and status["pid"] == process.pid and latest["session"] == status["session"]["id"]
                )

            until(begun_anew)
            update = told.read("latest.json")["update"]
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT) == 0, process.stdout.read()
    assert update["n_chunks"] < 5
    assert not update["complete"]
    (sentence,) = [line for line in update["missing"] if "had outgrown the memory limit (500.0 MB)" in line]
    assert sentence.startswith("Data before 20")
    assert "what was accumulated of run 7" in sentence


@pytest.mark.slow
def test_memory_that_only_large_chunks_need_is_not_needed_by_the_next_session(tmp_path, environment):
    events, pulses = 10_000, 300
    history = [banked(n, pixels=range(events)) for n in range(pulses)]

    def script(client):
        client.send(geometry(), new_run(5), run_info(5), *history)
        client.hold()

    told = Told(tmp_path, "GLT")
    with scripted_server(script) as server:
        arguments = ("run", "-i", "GLT", "--plain", "--address", server.address)
        limited = environment(
            LIVERED_LIMITS__MEMORY=f"{600 * MB}",
            LIVERED_MAX_CHUNK_EVENTS="2000000",
            LIVERED_UPDATE_EVERY="2",
        )
        with started(tmp_path, *arguments, environment=limited) as process:
            text = process.communicate(timeout=90)[0]
        assert process.returncode == 1, text
        (end,) = told.ends
        assert end["accumulated"] < MB
        with started(tmp_path, *arguments, environment=limited) as process:

            def all_reduced():
                assert process.poll() is None, process.stdout.read()
                latest, status = told.read("latest.json"), told.read("status.json")
                return (
                    status["pid"] == process.pid
                    and latest["session"] == status["session"]["id"]
                    and latest["update"]["n_events"] == events * pulses
                )

            until(all_reduced)
            update, status = told.read("latest.json")["update"], told.read("status.json")
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT) == 0, process.stdout.read()
    assert (update["complete"], update["missing"]) == (True, [])
    assert "begins with chunks of at most" in status["memory"]["begun_with"]
    assert status["memory"]["level"] == "normal"
