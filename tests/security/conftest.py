"""The marker that says which promise of docs/security.md a test holds."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "promise(id): holds this promise of docs/security.md")
