"""The page of the checks names them all, as the code does."""

from __future__ import annotations

import re
from pathlib import Path

from livered_core.testing.checks import CHECKS

PAGE = Path(__file__).parents[2] / "docs" / "trying-a-plugin.md"


def test_the_page_has_each_check_with_what_it_looks_for():
    text = PAGE.read_text(encoding="utf-8")
    (table,) = re.findall(r"<!-- checks -->\n(.*?)<!-- end of checks -->", text, re.DOTALL)
    rows = [f"| {check.name} | {check.about} |" for check in CHECKS]
    assert table.splitlines()[2:] == rows
    assert len({check.name for check in CHECKS}) == len(CHECKS)
