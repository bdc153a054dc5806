from __future__ import annotations
import importlib.util, pathlib
import attrs, numpy as np, pytest
spec = importlib.util.spec_from_file_location("tc", pathlib.Path(__file__).with_name("test_checkpointing.py"))
tc = importlib.util.module_from_spec(spec)
import sys; sys.modules["tc"] = tc
spec.loader.exec_module(tc)
from livered_core import RunEndReason
from livered_core.reduction.pipeline import TooManyFailures
from livered_core.hooks.markers import BegunAnew
from livered_core import hookimpl
from livered_core.hooks.boundary import Swapped
from hooks_support import chunk

def test_a(tmp_path):
    life = tc.begun(tmp_path, 1, 2)
    life.counter.fails = True
    with pytest.raises(TooManyFailures):
        life.take(3)
    life.pipeline.run_ended(tc.ENDED)
    final = life.published[-1][2]
    print(final)
    life.killed()
    again = tc.Life(tmp_path)
    assert again.resume() is None
    u = again.published[-1][2]
    print(u)
    assert u.complete == final.complete and u.dropped_chunks == final.dropped_chunks

def test_b(tmp_path):
    life = tc.begun(tmp_path, 1, 2)
    class Anew(tc.Counter):
        pass
    def accumulate(accumulated, processed, chunk, run):
        return BegunAnew(processed, "the detectors moved.")
    life.pipeline._hooks.accumulate = accumulate
    life.take(3)
    assert life.pipeline.replay_wanted()
    life.pipeline.run_ended(RunEndReason.SESSION_STOPPED)
    life.killed()
    again = tc.Life(tmp_path)
    again.resume()
    print(again.pipeline.state)
    assert not again.pipeline.state.missing

class Swap:
    wanted = True
    def at_boundary(self, b):
        self.wanted = False
        return Swapped(accumulated=b.accumulated, note="Code changed at 3 events.")

def test_c(tmp_path):
    life = tc.begun(tmp_path, 1, 2)
    life.pipeline._reloading = Swap()
    life.take(3)
    life.pipeline.update_due()
    assert life.published[-1][0].metadata["reloaded"]
    life.killed()
    again = tc.Life(tmp_path)
    again.resume()
    assert again.published[-1][0].metadata.get("reloaded")
