"""A plugin that does not come back from its import is told of."""

from __future__ import annotations

import importlib
import sys
import threading

from livered_core.hooks.slow_import import told_when_slow
from waiting import until

SOURCE = """
import sys
sys.modules["the_gate_of_the_test"].wait(30)
"""


def test_an_import_that_takes_long_is_told_with_its_place(tmp_path, monkeypatch, caplog):
    gate = threading.Event()
    (tmp_path / "slow_to_import.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "the_gate_of_the_test", gate)

    def imports():
        with told_when_slow("slow (dist 1.0)", "slow_to_import", slow_s=0.05):
            importlib.import_module("slow_to_import")

    thread = threading.Thread(target=imports)
    thread.start()
    try:
        until(lambda: caplog.records)
    finally:
        gate.set()
        thread.join()
        sys.modules.pop("slow_to_import", None)
    file = tmp_path / "slow_to_import.py"
    assert [record.getMessage() for record in caplog.records] == [
        f"Plugin slow (dist 1.0) ({file}) has been importing for 0.05 s: what it does at import should take no time. "
        "It is at line 3. Ctrl-C ends it."
    ]


def test_an_import_that_comes_back_is_not_told_of(caplog):
    with told_when_slow("quick", "quick", slow_s=1000):
        (timer,) = (thread for thread in threading.enumerate() if thread.name == "livered-slow-import")
    timer.join(10)
    assert not timer.is_alive()
    assert not caplog.records
