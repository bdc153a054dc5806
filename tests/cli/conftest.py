"""An instrument whose plugin does what the environment tells it, for tests of the real program."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from livered_support import private_environment

PLUGIN = """
    import os

    import attrs
    from livered_core import Curve, Receipt, Result, SKIP, hookimpl

    MODE = os.environ.get("TST_MODE", "")
    NASTY = "\\x1b]0;owned\\x07\\x9b31m\\u202edesrever\\u2028second\\n2026-01-01 00:00:00,000 ERROR forged: line"


    class Unspeakable(Exception):
        def __str__(self):
            return NASTY


    @attrs.define(eq=False)
    class Instrument:
        @hookimpl
        def process_chunk(self, chunk, run):
            if MODE == "raise":
                raise Unspeakable
            if MODE == "skip":
                return SKIP
            if MODE == "print":
                print("printed " + NASTY)
            return chunk.n_events

        @hookimpl
        def post_process(self, accumulated, run, update):
            curve = Curve(f"sum {NASTY}", [0.0], [accumulated], [0.0], "one", "counts", metadata={"n": accumulated})
            return Result(run.number, run.title, (curve,))


    @attrs.define(eq=False)
    class Sink:
        @hookimpl
        def post_publish(self, result, run, update):
            return Receipt(f"there {NASTY}", update.lag_ns, 1)
"""


@pytest.fixture
def tst(install, tmp_path):
    """Make the environment of the program, in which instrument TST is installed."""
    groups = {
        "livered.instruments": ["TST = tst_plugin:Instrument"],
        "livered.plugins": ["sink = tst_plugin:Sink"],
    }
    site = install("livered-tst", {"tst_plugin.py": PLUGIN}, groups)
    path = os.pathsep.join([str(site), str(Path(__file__).parents[1])])

    def environment(**more):
        return private_environment(
            tmp_path,
            PYTHONPATH=path,
            LIVERED_PLUGINS__SINK="{}",
            LIVERED_PLUGINS__FILES__FORMATS='["text"]',
            LIVERED_UPDATE_EVERY="0.2",
            **more,
        )

    return environment
