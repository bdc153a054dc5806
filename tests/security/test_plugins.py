"""What is installed beside livered, and not asked for, is not even imported."""

from __future__ import annotations

import os

import pytest

from adara_support import banked, end_run, geometry, new_run, run_info
from livered_support import livered, private_environment
from sms_support import scripted_server

WANTED = """
    from livered_core import hookimpl

    class Instrument:
        @hookimpl
        def process_chunk(self, chunk, run):
            return chunk.n_events
"""
UNWANTED = """
    from pathlib import Path
    Path(__file__).with_name("imported").touch()

    class Plugin:
        pass
"""


def whole_run(client):
    client.send(geometry(), new_run(7), run_info(7), banked(0), end_run(7))
    client.hold()


@pytest.mark.promise("S21")
def test_nothing_joins_a_run_by_being_installed(tmp_path, install):
    install("wanted", {"wanted.py": WANTED}, {"livered.instruments": ["WNT = wanted:Instrument"]})
    site = install(
        "unwanted",
        {"unwanted.py": UNWANTED},
        {
            "livered.plugins": ["helpful = unwanted:Plugin"],
            "livered.instruments": ["OTHER = unwanted:Plugin"],
            "pluggy": ["livered = unwanted:Plugin"],
        },
    )
    environment = private_environment(
        tmp_path, PYTHONPATH=os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    )
    with scripted_server(whole_run) as server:
        given = ("-i", "WNT", "--address", server.address)
        done = livered(tmp_path, "run", "--plain", "--stop-after-run", *given, environment=environment)
    assert done.returncode == 0, done
    livered(tmp_path, "check", "--no-connect", "-i", "WNT", environment=environment)
    assert not (site / "imported").exists()
