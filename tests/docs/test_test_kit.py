"""The page on the test kit: its examples, as the one file of tests that it says they are; and those in docstrings."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import re

import pytest

import livered_core.testing as kit
import livered_core.testing.fake_stream_server
import livered_core.testing.harness
import livered_core.testing.leaks
import livered_core.testing.monitor_server
import livered_core.testing.stream_packets  # noqa: F401  (what a session of pytester imports is forgotten after it)
from examples_support import REPOSITORY
from livered_core.testing import pytest_plugin

pytest_plugins = ["pytester"]

PAGE = (REPOSITORY / "docs" / "test-kit.md").read_text(encoding="utf-8")
MODULES = sorted(set(kit._MODULE_OF.values()))


def test_the_examples_are_tests_that_pass(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("mantid") is None:
        monkeypatch.syspath_prepend(str(REPOSITORY / "tests" / "mantid_double"))
    source = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    pytester.makepyfile(test_powder=source)
    n_tests = source.count("\ndef test_")
    assert n_tests >= 15
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist", "-q")
    result.assert_outcomes(passed=n_tests)


def test_each_fixture_is_in_the_table() -> None:
    fixtures = {
        name
        for name, value in vars(pytest_plugin).items()
        # The first as of pytest 8.4.
        if type(value).__name__ == "FixtureFunctionDefinition" or hasattr(value, "_pytestfixturefunction")
    }
    assert fixtures == set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run(name: str) -> None:
    module = importlib.import_module(name)
    outcome = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert outcome.failed == 0
