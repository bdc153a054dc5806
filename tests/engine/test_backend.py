from __future__ import annotations

import attrs
import pytest

from livered_core import BackendUnavailable, ConfigError, RunInfo
from livered_core.engine.backend import choose_backend
from livered_core.engine.health import Phase, phase_of
from livered_core.sources.base import Connection, SourceStatus
from livered_core.sources.mantid_facilities import mantid_is_installed

BOTH, NATIVE, MANTID = ("native", "mantid"), ("native",), ("mantid",)
HERE = mantid_is_installed()
needs_no_mantid = pytest.mark.skipif(HERE, reason="Mantid is installed here")


def test_a_recording_is_read_by_livered_itself():
    assert choose_backend("auto", [BOTH], recorded=True) == "native"
    with pytest.raises(ConfigError, match="read by livered itself"):
        choose_backend("mantid", [BOTH], recorded=True)


def test_auto_is_native_where_a_plugin_does_not_work_with_mantids_data():
    assert choose_backend("auto", [BOTH, NATIVE]) == "native"


@needs_no_mantid
def test_auto_is_native_where_mantid_is_not_installed():
    assert choose_backend("auto", [BOTH, BOTH]) == "native"


@needs_no_mantid
def test_mantid_where_it_is_not_installed_is_refused_in_one_sentence():
    with pytest.raises(BackendUnavailable) as caught:
        choose_backend("mantid", [BOTH])
    assert str(caught.value).count("\n") == 0
    assert "[mantid]" in str(caught.value)


@pytest.fixture
def broken_mantid(tmp_path, monkeypatch):
    """A Mantid that is found and cannot be imported, as with a library that is missing."""
    if HERE:
        pytest.skip("Mantid is installed here")
    package = tmp_path / "mantid"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('libPocoFoundation.so.95: cannot open')\n")
    monkeypatch.syspath_prepend(str(tmp_path))


def test_auto_is_native_where_mantid_is_broken_and_says_so(broken_mantid, caplog):
    assert choose_backend("auto", [BOTH]) == "native"
    assert "libPocoFoundation" in caplog.text


def test_a_plugin_that_needs_a_broken_mantid_gets_no_other_backend(broken_mantid):
    with pytest.raises(BackendUnavailable, match="libPocoFoundation"):
        choose_backend("auto", [MANTID])


def test_data_that_come_in_chunks_are_live_as_long_as_a_chunk_lasts():
    status = SourceStatus(
        where="mantid://TST",
        connection=Connection.CONNECTED,
        problem="",
        run=None,
        paused=False,
        last_pulse_ns=1_000_000_000,
        silent_s=0.0,
        waiting_events=0,
        connects=1,
        counts={},
    )
    run, now_ns = RunInfo(1, "TST"), 41_000_000_000

    assert phase_of(status, run, now_ns) is Phase.CATCHING_UP
    assert phase_of(attrs.evolve(status, chunk_s=30.0), run, now_ns) is Phase.LIVE
    assert phase_of(attrs.evolve(status, chunk_s=30.0), run, 10 * now_ns) is Phase.CATCHING_UP
