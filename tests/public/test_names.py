"""What plugins may rely on: a name that goes, or is called otherwise, is seen here and written into the CHANGELOG."""

from __future__ import annotations

import importlib
import runpy
import types
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LANGUAGE = {"annotations", "Any", "TYPE_CHECKING"}
LAZY = {"livered_core", "livered_core.testing"}
LISTING = runpy.run_path(str(HERE / "listing.py"))


def test_the_public_names_are_those_that_are_written_down():
    written = LISTING["FILE"].read_text(encoding="utf-8").splitlines()
    found = LISTING["listing"]().splitlines()
    assert found == written, (
        "The public face has changed: see docs/deprecations.md for what may, "
        "then run python tests/public/listing.py and say it in CHANGELOG.md."
    )


@pytest.mark.parametrize("package", LISTING["PACKAGES"])
def test_nothing_else_looks_public(package):
    module = importlib.import_module(package)
    names = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    # These import a name when it is asked for; the others have theirs at once.
    names |= {name for name in module.__all__ if package in LAZY and hasattr(module, name)}
    assert names - LANGUAGE == set(module.__all__)
    assert module.__all__ == sorted(
        set(module.__all__), key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )
