"""Whether there is Dask to test with."""

from __future__ import annotations

import pytest

from livered_core.engine.executors.quiet import quiet_dask


def skip_without_dask() -> None:
    """Skip the tests of a module where Dask distributed is not installed; else import it as livered does."""
    try:
        quiet_dask()
    except ImportError:
        pytest.skip("Dask distributed is not installed", allow_module_level=True)
