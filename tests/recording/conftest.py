from __future__ import annotations

from pathlib import Path

import pytest

from recording_support import run_packets, to_bytes


@pytest.fixture
def stream() -> bytes:
    return to_bytes(run_packets(5) + run_packets(6, first=200, n=10))


@pytest.fixture
def recorded(tmp_path: Path, stream: bytes) -> Path:
    path = tmp_path / "run.adara"
    path.write_bytes(stream)
    return path
