from __future__ import annotations
import hashlib, os, random, signal, threading, time
import pytest
from faults.stage import RUN

def wait(s): threading.Event().wait(s)

@pytest.mark.parametrize("seed", range(int(os.environ.get("S0", "0")), int(os.environ.get("S1", "4"))))
def test_random(stage, seed):
    d = random.Random(seed)
    stage.plugin(code="zero")
    stage.config += '\n[reload]\nevery = 0.1\naccumulated = "%s"\n' % d.choice(["keep", "replay"])
    line = stage.beamline
    number = RUN
    engine = stage.start()
    line.begin(number)
    line.pace = 400.0
    paused = False
    story = []
    alive = True
    def up():
        nonlocal engine, alive
        if not alive:
            engine = stage.start(); alive = True
    for step in range(28):
        op = d.choice(["play"]*5 + ["kill", "kill", "stop", "run", "run", "endgap", "pause", "drop", "reload", "jump"])
        story.append(op)
        if op == "play": line.play(d.randint(5, 150))
        elif op == "kill":
            t = threading.Timer(d.uniform(0, 0.3), engine.kill); t.start(); line.play(d.randint(5, 60)); t.join(); alive = False
            wait(d.uniform(0, 0.3))
            if d.random() < 0.8: up()
        elif op == "stop":
            if alive:
                engine.stop(); alive = False
            up()
        elif op == "run":
            if paused: line.resume(); paused = False
            number += 1; line.replace(number)
        elif op == "endgap":
            if paused: line.resume(); paused = False
            line.end(); wait(d.uniform(0, 0.5))
            if d.random() < 0.5:
                engine.kill(); alive = False; wait(d.uniform(0, 0.2)); up()
            number += 1; line.begin(number)
        elif op == "pause":
            (line.resume if paused else line.pause)(); paused = not paused
            line.play(5)
        elif op == "drop":
            line._server.close(); line._server = None
            line.play(d.randint(0, 40))
            from livered_core.simulator.server import Address, Server
            from livered_core.clocks import SystemClock
            line._server = Server(line._storage, SystemClock())
            for _ in range(50):
                try:
                    line._server.start(Address(port=line._port)); break
                except OSError: wait(0.1)
        elif op == "reload":
            stage.plugin(code=f"c{step}")
        elif op == "jump": line.jump(d.choice([-3.00071, 2.5, 0.00031, -0.5001]))
        wait(d.uniform(0, 0.2))
    if paused: line.resume()
    up()
    line.play(100)
    stage.until(lambda: (stage.status().get("run") or {}).get("number") == number and stage.status().get("n_pulses", 0) > 0)
    wait(1.0)
    line.play(50)
    wait(1.0)
    line.end()
    stage.until(lambda: any(f.run == number for f in stage.finals()))
    assert engine.stop() == 0, engine.said()
    finals = {}
    for f in stage.finals(): finals.setdefault(f.run, []).append(f)
    bad = []
    for n in range(RUN, number + 1):
        sent = line.ledger.runs.get(n)
        fs = finals.get(n, [])
        exact = hashlib.sha256(sent.counts.tobytes()).hexdigest() if sent else ""
        e = sent.good if sent else 0
        tags = [("C" if f.complete else "i") + ("=" if f.digest == exact else f"{f.events-e:+d}") for f in fs]
        line_ = f"run {n}: sent {e} finals {tags}"
        print(line_)
        if any(f.events > e for f in fs) or any(f.complete and f.digest != exact for f in fs) or len({f.digest for f in fs}) > 1:
            bad.append(line_)
        if e and not fs: print("   NO FINAL")
    print(story)
    assert not bad, bad
