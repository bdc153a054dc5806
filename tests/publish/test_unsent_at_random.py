"""Whatever sinks do, and however often livered starts again: each final once to each sink, in order."""

from __future__ import annotations

import random

import pytest

from livered_core.backoff import Backoff
from livered_core.errors import SinkLater, SinkRejected
from livered_core.publish.outbox import unsent_files
from publish_support import WAIT, Sink, item, running

QUICK = Backoff(0.001, 0.003)
TROUBLES = (OSError("down"), SinkLater(0.002), SystemExit(1), KeyError("odd"))


class Beamline:
    """Makes runs, replays old ones, and has two sinks that fail at random; remembers what they took."""

    def __init__(self, seed, state):
        self.random = random.Random(seed)
        self.state = state
        self.run = 0
        self.refused = False
        self.taken: list[list[str]] = [[], []]

    def session(self, steps):
        sinks = [Sink(), Sink()]
        with running(*sinks, state=self.state, backoff=QUICK, close=False) as worker:
            for version in range(1, steps + 1):
                self.step(worker, version, self.random.choice(sinks))
            said = worker.close(WAIT)
        for taken, sink in zip(self.taken, sinks, strict=True):
            taken.extend(sink.taken)
        return said

    def step(self, worker, version, sink):
        dice = self.random.random()
        if dice < 0.3:
            with sink.changed:
                sink.errors += self.random.choices(TROUBLES, k=self.random.randint(1, 6))
        elif dice < 0.35:
            self.refused = True
            with sink.changed:
                sink.errors += [SinkRejected("no")] * self.random.randint(1, 3)
        elif dice < 0.6:
            self.run += 1
            worker.offer(item(version, run=self.run, final=True, start_ns=self.run))
        elif dice < 0.9 or not self.run:
            worker.offer(item(version, run=self.run + 1, sequence=version, start_ns=self.run + 1))
        else:
            final = self.random.random() < 0.5
            worker.offer(item(version, run=self.run, sequence=version, final=final, start_ns=self.run))


@pytest.mark.parametrize("seed", range(12))
def test_each_final_reaches_each_sink_once_and_in_order(tmp_path, seed):
    beamline = Beamline(seed, tmp_path)
    for _ in range(beamline.random.randint(1, 4)):
        beamline.session(beamline.random.randint(0, 25))
    assert beamline.session(0) == []
    assert unsent_files(tmp_path / "unsent") == []
    for taken in beamline.taken:
        finals = [int(name[:-1]) for name in taken if name.endswith("F")]
        assert sorted(finals) == list(range(1, beamline.run + 1))
        assert beamline.refused or finals == sorted(finals)
        over = set()
        for name in taken:
            number = name.rstrip("F").partition(".")[0]
            assert number not in over
            if name.endswith("F"):
                over.add(number)
