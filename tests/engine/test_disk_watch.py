"""The room on the disks that livered writes to."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import attrs
import pytest

from hooks_support import result, run_info, session_info, update
from livered_core.clocks import SystemClock
from livered_core.engine.disk_watch import DiskWatch
from livered_core.publish.disk_space import free_bytes
from livered_core.publish.files import FilesPlugin
from livered_core.publish.files_settings import FilesSettings
from waiting import until

MB = 10**6
OUT, STATE = Path("/out"), Path("/state")


class Clock:
    s = 0.0

    def now_ns(self):
        return 0

    def monotonic(self):
        return self.s

    def wait(self, event: threading.Event, timeout: float) -> bool:
        raise NotImplementedError


@pytest.fixture
def disks():
    """Free room by folder; an error is raised."""
    return {OUT: 900 * MB, STATE: 70 * MB}


@pytest.fixture
def watch(disks):
    def free(folder):
        if isinstance(disks[folder], Exception):
            raise disks[folder]
        return disks[folder]

    return DiskWatch(OUT, lambda: STATE, 500 * MB, Clock(), free)


def said(caplog):
    return [record.getMessage() for record in caplog.records]


def test_a_disk_that_gets_full_is_said_once_and_so_is_room(watch, disks, caplog):
    caplog.set_level("INFO")
    watch.look()
    assert attrs.astuple(watch.status()) == (500 * MB, 900 * MB, 70 * MB, ())
    for disks[OUT] in (499 * MB, 100 * MB, 510 * MB):
        watch.look()
    words = (
        "are free on the disk of /out, and 500.0 MB should stay free (disk_free in [limits]): reduced files are written "
        "of final results only; make room."
    )
    assert said(caplog) == [f"Only 499.0 MB {words}"]
    assert watch.status().problems == (f"Only 510.0 MB {words}",)
    disks[OUT] = 600 * MB
    watch.look()
    assert said(caplog)[1:] == ["There is room again on the disk of /out: 600.0 MB are free."]
    assert watch.status().problems == ()


def test_a_disk_that_cannot_be_looked_at_or_hangs_is_in_the_status(watch, disks):
    disks[STATE] = OSError(5, "Input/output error")
    watch.look()
    status = watch.status()
    assert (status.output_free, status.state_free) == (900 * MB, None)
    assert "Input/output error" in status.problems[0]
    watch._clock.s += 61
    assert "has not answered for 61 s" in watch.status().problems[1]


def test_real_disks_are_looked_at_on_a_thread(tmp_path):
    watch = DiskWatch(tmp_path / "not" / "there", None, 0, SystemClock())
    watch.start()
    until(lambda: watch.status().output_free)
    watch.close()
    found = os.statvfs(tmp_path)
    assert watch.status().output_free == pytest.approx(found.f_bavail * found.f_frsize, rel=0.2)
    assert watch.status().state_free is None


def test_a_file_in_place_of_a_folder_counts_as_the_folder_above(tmp_path):
    (tmp_path / "file").touch()
    assert free_bytes(tmp_path / "file" / "below") > 0


@pytest.mark.parametrize(
    ("final", "least", "written"),
    [(False, 0, True), (False, 1 << 60, False), (True, 1 << 60, True), (False, 1, True)],
    ids=["no demand", "short of room", "a final one", "room enough"],
)
def test_short_of_room_only_final_results_are_written(tmp_path, final, least, written):
    sink = FilesPlugin(FilesSettings(directory=tmp_path / "out", formats=("text",), every=1.0))
    sink.session_started(attrs.evolve(session_info(), disk_free=least))
    receipt = sink.post_publish(result(), run_info(), update(final=final))
    assert (receipt is not None) == written
    assert (tmp_path / "out").exists() == written
