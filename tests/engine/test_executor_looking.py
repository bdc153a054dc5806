"""What is said of workers before a session, and workers of a scheduler that livered did not start."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from dask_support import skip_without_dask
from executor_support import Counter, NeverSaid, chunk, configuration, run_info, session
from livered_core import RunEndReason
from livered_core.config import EngineConfig
from livered_core.engine.executors import open_executor
from livered_core.engine.executors.looking import look_at_workers
from livered_core.engine.setup import make_plugins
from livered_core.errors import BackendUnavailable
from waiting import until

skip_without_dask()

ON_WORKERS = '[engine]\nexecutor = "dask"\nworkers = 3\n'
WITHOUT_LIVERED = """
import sys
sys.modules["livered_core"] = None
from distributed.cli.dask_worker import main
main()
"""


def looked(folder, instrument, config=ON_WORKERS, *, reach=True):
    loaded, _ = configuration(folder, instrument, config=config)
    return look_at_workers(loaded.config, make_plugins(loaded, "native"), "native", reach=reach)


def test_workers_of_its_own_are_told_without_starting_them(tmp_path):
    told, problems = looked(tmp_path, Counter)
    assert told.startswith("Dask distributed ")
    assert told.endswith(", 3 workers of livered's own on this machine")
    assert problems == []


def test_a_plugin_that_may_not_run_elsewhere_is_a_problem(tmp_path):
    _, (problem,) = looked(tmp_path, NeverSaid)
    assert "does not say that its process_chunk may run in another process" in problem


def test_a_scheduler_is_left_alone_where_nothing_is_to_be_reached(tmp_path):
    config = f'{ON_WORKERS}scheduler = "127.0.0.1:9"\n'
    told, problems = looked(tmp_path, Counter, config, reach=False)
    assert told.endswith("those of the scheduler at tcp://127.0.0.1:9, not tried")
    assert problems == []


def test_without_dask_it_is_said_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(BackendUnavailable, match=r"pip install 'livered-core\[dask\]'"):
        looked(tmp_path, Counter)


def certificates(folder):
    """Make an authority, and a certificate of it."""
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority",
        "req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=all",
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 2",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    return [folder / name for name in ("ca.pem", "cert.pem", "key.pem")]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
def test_a_schedulers_workers_are_reached_by_tls_and_one_without_livered_gets_nothing(tmp_path, caplog):
    ca, cert, key = certificates(tmp_path)
    tls = [
        "--tls-ca-file",
        ca,
        "--tls-cert",
        cert,
        "--tls-key",
        key,
        "--protocol",
        "tls",
        "--host",
        "127.0.0.1",
    ]
    found = tmp_path / "scheduler.json"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "TMPDIR": str(tmp_path)}

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, *arguments, *tls, "--scheduler-file", found, "--no-dashboard"],
            env=environment,
            stderr=subprocess.DEVNULL,
        )
        stack.enter_context(process)
        stack.callback(process.terminate)

    with ExitStack() as stack:
        start("-m", "distributed.cli.dask_scheduler", "--port", "0")
        until(found.exists)
        address = json.loads(found.read_text())["address"]
        engine = {"scheduler": address, "tls_ca": str(ca), "tls_cert": str(cert), "tls_key": str(key)}
        config = ON_WORKERS + "".join(f'{name} = "{value}"\n' for name, value in engine.items())
        told, (problem,) = looked(tmp_path, Counter, config)
        assert f"0 workers, 0 with the code that is here, of the scheduler at {address}" in told
        assert "has no worker" in problem
        start("-m", "distributed.cli.dask_worker", "--nthreads", "4", "--no-nanny")
        start("-c", WITHOUT_LIVERED, "--nthreads", "1", "--no-nanny")
        until(lambda: "2 workers" in looked(tmp_path, Counter, config)[0])
        told, (problem,) = looked(tmp_path, Counter, config)
        assert (
            "2 workers, 1 with the code that is here, 1 with several threads, of which chunks use one" in told
        )
        assert "would get no chunks: ModuleNotFoundError" in problem
        files = {name: Path(value) for name, value in engine.items() if name != "scheduler"}

        def script(consumer, stop):
            consumer.run_began(run_info(5))
            for sequence in range(1, 9):
                consumer.take_chunk(chunk(sequence, events=1000))
            consumer.run_ended(RunEndReason.ENDED)

        (tmp_path / "there").mkdir()
        with open_executor(EngineConfig(executor="dask", scheduler=address, **files)) as executor:
            made = session(tmp_path / "there", Counter, script, config=config, executor=executor)
            assert made.run() == 0, made.failure
            health = made.health()
        assert (health.update.n_chunks, health.update.complete) == (8, True)
        assert health.executor.workers == 1
        assert "cannot process chunks (" in caplog.text
