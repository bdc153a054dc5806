"""What livered writes is read by Mantid, as docs/publishing.md says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from hooks_support import run_info, update
from livered_core import Curve, Result
from livered_core.publish.nexus import nexus_bytes
from livered_core.publish.text import column_text, header_lines

PAGE = (Path(__file__).parents[2] / "docs" / "publishing.md").read_text(encoding="utf-8")
EDGES = np.geomspace(0.5, 2.0, 41)
BANK = Curve(
    "bank 2 - 31 deg",
    EDGES,
    np.arange(1.0, 41.0),
    np.sqrt(np.arange(1.0, 41.0)),
    "Angstrom",
    "counts/uAh",
    "d-spacing",
    "intensity",
)


def test_a_histogram_of_the_nexus_file_becomes_a_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mantid.simpleapi import mtd

    monkeypatch.chdir(tmp_path)
    result = Result(4711, "r", (BANK,))
    Path("NOM_4711.h5").write_bytes(nexus_bytes(result, run_info(4711), update(final=True), {}, 1))
    (code,) = re.findall(r"<!-- run with Mantid -->\n```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    exec(compile(code, "publishing.md", "exec"), {})
    workspace = mtd["bank_2"]
    try:
        assert workspace.isHistogramData()
        assert workspace.getAxis(0).getUnit().unitID() == "dSpacing"
        assert workspace.YUnitLabel() == "counts/uAh"
        np.testing.assert_array_equal(workspace.readX(0), EDGES)
        np.testing.assert_array_equal(workspace.readY(0), BANK.y)
        np.testing.assert_array_equal(workspace.readE(0), BANK.e)
    finally:
        mtd.remove("bank_2")


def test_columns_of_text_are_loaded_as_they_are(tmp_path: Path) -> None:
    from mantid import simpleapi

    if not hasattr(simpleapi, "LoadAscii"):
        pytest.skip("the double of Mantid has no LoadAscii")
    path = tmp_path / "NOM_4711_bank_2_31_deg.dat"
    result = Result(4711, "r", (BANK,))
    path.write_bytes(column_text(BANK, header_lines(result, run_info(4711), update(final=True), {}, 1)))
    workspace = simpleapi.LoadAscii(Filename=str(path), Unit="dSpacing", OutputWorkspace="columns")
    try:
        np.testing.assert_allclose(workspace.readX(0), BANK.x_centres)
        np.testing.assert_allclose(workspace.readY(0), BANK.y)
        np.testing.assert_allclose(workspace.readE(0), BANK.e)
    finally:
        simpleapi.mtd.remove("columns")
