"""What the Mantid half does without Mantid; the rest is in tests/with_mantid/test_nom.py."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import livered_nom.plugin
from livered_core import Chunk, DataModelError, Instrument, SessionInfo
from livered_core.diffraction import EventFilter, FocusTable
from livered_nom.counting import NativeFiles
from livered_nom.mantid_conversion import _d_spacing
from livered_nom.mantid_counts import _counts, check_leave_out
from livered_nom.mantid_files import MantidFiles, _is_hdf5, _slices
from livered_nom.plugin import NomPlugin
from livered_nom.prepared import prepare
from livered_nom.settings import NomSettings


def test_importing_the_plugin_imports_no_mantid() -> None:
    assert "mantid" not in sys.modules


def test_the_plugin_works_on_both_kinds_of_data() -> None:
    assert NomPlugin.data_models == ("native", "mantid")


def test_a_session_on_mantid_compiles_no_kernel(
    session: SessionInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []
    monkeypatch.setattr(livered_nom.plugin, "warm_up", lambda: compiled.append("yes"))
    NomPlugin(NomSettings()).session_started(attrs.evolve(session, backend="mantid"))
    assert compiled == []
    NomPlugin(NomSettings()).session_started(session)
    assert compiled == ["yes"]


def test_what_is_no_event_workspace_is_refused() -> None:
    chunk = Chunk(3, "mantid", object(), 0, 0, 0, 0, 0.0)
    with pytest.raises(DataModelError, match="Chunk 3 is a object and not an EventWorkspace"):
        NomPlugin(NomSettings()).process_chunk(chunk)


def test_pulses_cannot_be_left_out_by_their_flags() -> None:
    check_leave_out(EventFilter(prompt_pulse_width_us=30.0))
    with pytest.raises(DataModelError, match="leave_out_vetoed"):
        check_leave_out(EventFilter(pulse_flags=4))


@given(
    st.lists(st.integers(0, 10**12), min_size=1, max_size=60, unique=True).map(sorted),
    st.integers(1, 100),
)
def test_slices_hold_each_pulse_once(times_ns: list[int], n: int) -> None:
    pulse_ns = np.array(times_ns, np.int64) + 1_700_000_000_000_000_000
    limits = _slices(pulse_ns, n)
    assert 1 <= len(limits) <= max(1, min(n, len(times_ns)))
    assert "FilterByTimeStart" not in limits[0]
    assert "FilterByTimeStop" not in limits[-1]
    for before, after in itertools.pairwise(limits):
        assert before["FilterByTimeStop"] == after["FilterByTimeStart"]
    since_s = (pulse_ns - pulse_ns.min()) * 1e-9
    counted = sum(
        (
            (since_s >= limit.get("FilterByTimeStart", -1.0))
            & (since_s < limit.get("FilterByTimeStop", np.inf))
        )
        for limit in limits
    )
    assert set(np.asarray(counted).tolist()) == {1}


def test_bins_are_closed_on_the_left_and_nothing_is_made_of_no_number() -> None:
    edges = np.array([1.0, 2.0, 4.0])
    d = np.array([0.5, 1.0, 1.5, 2.0, 3.9, 4.0, np.nan, np.inf, -1.0, 0.0])
    assert _counts(edges, d, in_q=False).tolist() == [2, 2]
    # Q = 2 pi / d, of d = pi, pi / 2 and below 0.
    assert _counts(edges, np.array([np.pi, np.pi / 2 + 1e-9, -1.0, 0.0, np.nan]), in_q=True).tolist() == [
        0,
        2,
    ]


@given(
    difc=st.floats(100.0, 20_000.0),
    difa=st.sampled_from([0.0, 1e-9, -1e-9, -0.3, 0.4]),
    tzero=st.floats(-15.0, 15.0),
    tof=st.floats(100.0, 17_000.0),
)
def test_d_spacing_solves_the_equation(difc: float, difa: float, tzero: float, tof: float) -> None:
    one = np.ones(1)
    table = FocusTable(np.zeros(1, np.int32), difc * one, difa * one, tzero * one, np.array([[0.1, 1.0]]))
    d = float(_d_spacing(table, np.array([0]), tof)[0])
    if np.isnan(d):
        assert 1.0 + 4.0 * difa * (tof - tzero) / difc**2 < 0
    else:
        assert difc * d + difa * d * d + tzero == pytest.approx(tof, rel=1e-9)


def test_names_of_one_instrument_fit(instrument: Instrument) -> None:
    target = prepare(NomSettings(), instrument, None).target
    assert all(target.is_of(name) for name in ("NOMAD", "NOM", "nomad"))
    assert not any(target.is_of(name) for name in ("POWGEN", "", "  "))


def test_what_is_no_nexus_file_is_read_by_livered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run.adara").write_bytes(b"\x00" * 40)
    (tmp_path / "run.nxs.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert [_is_hdf5(tmp_path / name) for name in ("run.adara", "run.nxs.h5", "none", ".")] == [
        False,
        True,
        False,
        False,
    ]
    asked: list[str] = []

    def count(_self: Any, path: Path, _target: Any, _stop: Any) -> Any:
        asked.append(path.name)
        return None, ""

    monkeypatch.setattr(NativeFiles, "count", count)
    native = NativeFiles(EventFilter(), 1)
    nothing: Any = None
    MantidFiles(EventFilter(), native).count(tmp_path / "run.adara", nothing, nothing)
    MantidFiles(EventFilter(), native, by_monitor=True).count(tmp_path / "run.nxs.h5", nothing, nothing)
    assert asked == ["run.adara", "run.nxs.h5"]
