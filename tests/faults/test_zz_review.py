from __future__ import annotations
import pytest
from faults.stage import RUN

def reload_status(stage):
    return stage.status().get("reload") or {}

def test_d(stage):
    stage.config += "\n[reload]\nevery = 0.2\n"
    engine = stage.start()
    line = stage.beamline
    line.begin(RUN)
    line.play(90)
    line.pause(); line.play(60); line.resume()
    line.play(30)
    stage.until_reduced(120)
    stage.until(stage.checkpoints)
    stage.config = stage.config.replace("[source]", "[source]\nkeep_paused = true", 1)
    (stage.folder / "livered.toml").write_text(stage.config)
    stage.plugin(code="two")
    import signal, os, subprocess, sys, time
    line.pace = 200.
    for i in range(100):
        line.play(20)
        if "Reloaded" in str(reload_status(stage)):
            break
    print(reload_status(stage))
    n = stage.events()
    before = stage.checkpoints()[-1]
    line.play(100)
    stage.until(lambda: stage.checkpoints()[-1] != before and stage.events() > n)
    line.play(40)
    engine.kill()
    engine = stage.start()
    line.pace = 0
    line.play(60)
    stage.until_recovered()
    line.end()
    stage.until_ended()
    log = stage.log()
    print("\n".join(l[:300] for l in log.splitlines() if "checkpoint" in l.lower() or "eload" in l or "paused" in l))
    stage.until(stage.finals)
    f = stage.finals()[-1]
    print(f, line.ledger.runs[RUN].good, line.ledger.runs[RUN].events)
    assert f.events == line.ledger.runs[RUN].events
