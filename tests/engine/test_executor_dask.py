"""Chunks on real workers of Dask, which are processes on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys

import attrs
import pytest

from beamline_support import simulated_run
from dask_support import skip_without_dask
from executor_support import Counter, Killer, NeverSaid, chunk, run_info, session
from livered_core import RunEndReason
from livered_core.clocks import SystemClock
from livered_core.config import EngineConfig
from livered_core.engine.executors import ExecutorLost, dask_executor, open_executor
from livered_core.engine.executors.dask_executor import DaskCrew
from livered_core.engine.offline import OfflineReduction, offline_configuration
from livered_core.engine.setup import load_configuration
from livered_core.errors import BackendUnavailable, ConfigError
from livered_core.recording import open_recording
from livered_support import private_environment
from waiting import until

skip_without_dask()
# It comes with distributed.
psutil = pytest.importorskip("psutil")

ON_WORKERS = '[engine]\nexecutor = "dask"\nworkers = 2\n'


@pytest.fixture(scope="module")
def executor():
    with open_executor(EngineConfig(executor="dask", workers=2)) as opened:
        yield opened


def workers():
    """The processes of the workers of this one."""
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if "spawn_main" in " ".join(child.cmdline())
    ]


def run_of(n, events=1000):
    def script(consumer, stop):
        consumer.run_began(run_info(5))
        for sequence in range(1, n + 1):
            consumer.take_chunk(chunk(sequence, events=events + sequence))
        consumer.run_ended(RunEndReason.ENDED)

    return script


def reduced(folder, instrument, script, executor=None, settings=""):
    folder.mkdir()
    config = "" if executor is None else ON_WORKERS
    made = session(folder, instrument, script, settings, config, executor)
    assert made.run() == 0, made.failure
    return made.health()


def test_the_bits_are_those_of_one_process(executor, tmp_path):
    there = reduced(tmp_path / "there", Counter, run_of(40), executor)
    here = reduced(tmp_path / "here", Counter, run_of(40))
    assert there.result.curves[0].y.tobytes() == here.result.curves[0].y.tobytes()
    assert attrs.evolve(there.update, lag_ns=0) == attrs.evolve(here.update, lag_ns=0)
    assert (there.executor.workers, there.executor.in_flight, there.executor.sent_again) == (2, 0, 0)
    (row,) = [row for row in there.plugins if row.name == "tst"]
    (process,) = [hook for hook in row.hooks if hook.hook == "process_chunk"]
    assert process.calls == 40


def test_nomads_counts_and_curves_are_those_of_one_process(executor, tmp_path):
    recording = simulated_run(tmp_path / "run.adara", "diamond", 7, rate=2e5, run_length=1.0)
    made = []
    for name, engine in (("here", {}), ("there", {"executor": "dask"})):
        environment = private_environment(tmp_path)
        flags = {"output_dir": tmp_path / name, "max_chunk_events": 20_000, "engine": engine}
        loaded, _ = offline_configuration(
            load_configuration("NOM", None, flags, environment, standard=False), publish=False
        )
        reduction = OfflineReduction(
            loaded, open_recording(recording), SystemClock(), {}, environment, executor
        )
        assert reduction.session.run() == 0, reduction.session.failure
        made.append((reduction.runs[0].update, reduction.session.health().result))
    (here, curves), (there, others) = made
    assert here.n_chunks > 5
    assert attrs.evolve(here, lag_ns=0) == attrs.evolve(there, lag_ns=0)
    for one, other in zip(curves.curves, others.curves, strict=True):
        assert (one.label, one.y.tobytes(), one.e.tobytes()) == (
            other.label,
            other.y.tobytes(),
            other.e.tobytes(),
        )
    assert curves.metadata == others.metadata


def test_a_killed_workers_blocks_are_run_again_and_every_event_is_counted_once(executor, tmp_path):
    """Another worker takes its place meanwhile."""
    once = tmp_path / "once"
    once.touch()
    before = {process.pid for process in workers()}
    health = reduced(tmp_path / "there", Killer, run_of(12), executor, f'poison = 3\nonce = "{once}"')
    events = sum(1000 + sequence for sequence in range(1, 13))
    assert health.result.curves[0].y[0] == events
    assert (health.update.n_chunks, health.update.n_events, health.update.dropped_chunks) == (12, events, 0)
    # The one that it was in, and the one that was on the way to it.
    assert 1 <= health.executor.sent_again <= 2
    assert health.executor.given_up == 0
    until(lambda: len(workers()) == 2 and {process.pid for process in workers()} != before)


def test_a_signal_of_the_terminal_does_not_end_workers(executor, tmp_path, capfd):
    before = {process.pid for process in workers()}
    for pid in before:
        os.kill(pid, signal.SIGINT)
    health = reduced(tmp_path / "there", Counter, run_of(4), executor)
    assert health.update.n_chunks == 4
    assert {process.pid for process in workers()} == before
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.slow
def test_a_block_that_ends_every_worker_is_dropped_and_the_run_goes_on(executor, tmp_path):
    health = reduced(tmp_path / "there", Killer, run_of(8), executor, "poison = 3")
    assert (health.update.n_chunks, health.update.dropped_chunks) == (7, 1)
    assert "1 chunk with 1,003 events was lost to a plugin's failure." in health.update.missing
    assert health.executor.given_up == 1
    (row,) = [row for row in health.plugins if row.name == "tst"]
    (process,) = [hook for hook in row.hooks if hook.hook == "process_chunk"]
    assert "3 workers were lost with it" in process.last_error


def test_a_plugin_that_may_not_run_elsewhere_is_refused_before_anything_is_started(tmp_path):
    made = session(tmp_path, NeverSaid, run_of(1), config=ON_WORKERS)
    with pytest.raises(ConfigError) as refused:
        made.run()
    assert str(refused.value) == (
        "Plugin tst (unknown distribution unknown version) does not say that its process_chunk may run in another "
        'process, which engine.executor = "dask" needs: set executor = "single", or, where it may, write '
        "process_elsewhere = True into its class."
    )


def test_a_scheduler_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setattr("livered_core.engine.executors.dask_executor.ANSWERS_WITHIN_S", 0.2)
    config = EngineConfig(executor="dask", scheduler="127.0.0.1:9")
    with (
        pytest.raises(ExecutorLost, match=r"Dask's scheduler at tcp://127.0.0.1:9 does not answer within"),
        open_executor(config),
    ):
        pass


def test_who_has_no_certificate_is_refused(executor):
    where = executor.status().where
    assert where.startswith("tls://127.0.0.1:")
    host, _, port = where.removeprefix("tls://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as plain:
        plain.sendall(bytes(64))
        with contextlib.suppress(ConnectionResetError):
            # An alert of TLS, and no word of Dask's.
            assert not plain.recv(1 << 16).startswith(b"\x00")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((host, int(port)), timeout=5) as bare,
        pytest.raises(OSError, match=r"(?i)certificate|reset|closed|alert|EOF"),
        context.wrap_socket(bare) as connection,
    ):
        connection.sendall(bytes(64))
        if not connection.recv(1):
            message = "closed"
            raise OSError(message)


def test_a_scheduler_elsewhere_needs_tls(tmp_path):
    elsewhere = "scheduler.example:8786"
    with pytest.raises(ValueError, match="is on another machine, and without TLS"):
        EngineConfig(executor="dask", scheduler=elsewhere)
    with pytest.raises(ValueError, match="needs tls_ca, tls_cert and tls_key"):
        EngineConfig(executor="dask", scheduler=f"tls://{elsewhere}")
    with pytest.raises(ValueError, match="belong together"):
        EngineConfig(executor="dask", scheduler=f"tls://{elsewhere}", tls_ca=tmp_path)
    files = dict.fromkeys(("tls_ca", "tls_cert", "tls_key"), tmp_path)
    assert EngineConfig(executor="dask", scheduler=f"tls://{elsewhere}", **files).has_tls
    open_one = EngineConfig(executor="dask", scheduler=elsewhere, allow_unencrypted=True)
    assert open_one.scheduler_url == f"tcp://{elsewhere}"


def test_without_dask_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(BackendUnavailable, match=r"pip install 'livered-core\[dask\]'"),
        open_executor(EngineConfig(executor="dask")),
    ):
        pass


ALONE = """
import sys, time
from livered_core.config import EngineConfig
from livered_core.engine.executors import open_executor
if __name__ == "__main__":
    with open_executor(EngineConfig(executor="dask", workers=1)) as executor:
        print(executor.status().workers, flush=True)
        time.sleep(600)
"""


def test_workers_end_with_a_livered_that_is_killed(tmp_path):
    (tmp_path / "alone.py").write_text(ALONE)
    process = subprocess.Popen(
        [sys.executable, tmp_path / "alone.py"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    with process:
        assert process.stdout.readline() == "1\n"
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.kill()
    until(lambda: not any(child.is_running() and child.status() != "zombie" for child in children))


def test_workers_that_hang_are_waited_for_together(executor, monkeypatch):
    crew = DaskCrew(executor._crew._client, "here")
    crew.wait(30)
    assert crew.n_workers == 2

    async def hangs(client, worker):
        await asyncio.sleep(60)

    monkeypatch.setattr(dask_executor, "_close", hangs)
    monkeypatch.setattr(dask_executor, "CLOSE_WITHIN_S", 0.7)
    began_s = SystemClock().monotonic()
    crew.close()
    assert 0.7 <= SystemClock().monotonic() - began_s < 1.35


def test_dask_leaves_the_search_for_packages_as_it_was():
    """On Pythons before 3.12 it would put importlib_metadata's finder in the place of the standard library's."""
    lines = (
        "import sys",
        "from livered_core.engine.executors.quiet import quiet_dask",
        "quiet_dask()",
        "from importlib.metadata import distribution",
        "assert type(distribution('attrs')).__module__.startswith('importlib.metadata')",
        "assert not any(type(finder).__module__.startswith('importlib_metadata') for finder in sys.meta_path)",
        "assert 'importlib_metadata' not in sys.modules",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True, timeout=60)
