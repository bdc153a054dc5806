"""Templates and what becomes of them."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator, Mapping
from string import Template
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.abc import Traversable

SUFFIX: Final = ".in"
"""Ending of the name of a template: what it holds is no Python yet."""


def filled(folder: str, values: Mapping[str, str]) -> dict[str, str]:
    """Fill the templates of a folder.

    Parameters
    ----------
    folder
        Below ``templates``.
    values
        Name to text. In the names of files and folders ``MODULE`` and ``INSTRUMENT`` stand for those of `values`, and
        ``TEST_`` for the beginning of a test's name, so that no template looks like a test of livered.

    Returns
    -------
    dict
        Path of each file, with slashes, to its text.
    """
    files = {}
    for path, text in _templates(folder):
        name = path.replace("TEST_", "test_").replace("MODULE", values["module"])
        name = name.replace("INSTRUMENT", values["instrument"])
        files[name.removesuffix(SUFFIX)] = Template(text).substitute(values)
    return files


def _templates(folder: str) -> Iterator[tuple[str, str]]:
    start = importlib.resources.files("livered_core.scaffold") / "templates" / folder
    yield from _below(start, "")


def _below(folder: Traversable, before: str) -> Iterator[tuple[str, str]]:
    for item in sorted(folder.iterdir(), key=lambda each: each.name):
        if item.is_dir():
            yield from _below(item, f"{before}{item.name}/")
        elif item.name.endswith(SUFFIX):
            yield before + item.name, item.read_text(encoding="utf-8")
