"""What docs/publishing.md says of files is true: its table is that of the settings, its example is right."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from livered_core.config import Layer, merge, parse_layer, structure
from livered_core.config.reference import with_plugin_tables
from livered_core.model import Result, RunInfo, Update
from livered_core.publish.files import FilesPlugin
from livered_core.publish.files_settings import FilesSettings, Format

PAGE = (Path(__file__).parents[2] / "docs" / "publishing.md").read_text(encoding="utf-8")
FILES = PAGE[PAGE.index("\n## Files\n") :]


def test_the_table_is_that_of_the_settings() -> None:
    assert with_plugin_tables(PAGE, "files", FilesSettings) == PAGE, (
        "run: python -m livered_core.config.reference --plugin files "
        "livered_core.publish.files_settings:FilesSettings docs/publishing.md"
    )


def test_the_example_is_right() -> None:
    (text,) = re.findall(r"<!-- example -->\n```toml\n(.*?)^```$", FILES, re.MULTILINE | re.DOTALL)
    layers = [
        parse_layer(text, "example", Path("/etc/livered")),
        Layer("flags", {"instrument": "NOM"}, Path("/")),
    ]
    settings = structure(merge(layers), {"files": FilesSettings}).plugins["files"]
    assert isinstance(settings, FilesSettings)
    run = RunInfo(4711, "NOM", "IPTS-7")
    assert settings.path(run, Path("/out")) == Path("/SNS/NOM/IPTS-7/shared/livereduce/NOM_4711")
    assert settings.every == 600


def test_the_files_have_the_names_on_the_page(
    tmp_path: Path, result: Result, make_update: Callable[..., Update]
) -> None:
    pytest.importorskip("h5py", reason="NeXus files need h5py")
    every = FilesSettings(directory=tmp_path, formats=get_args(Format))
    FilesPlugin(every).post_publish(result, RunInfo(4711, "NOM"), make_update())
    named = set(re.findall(r"^\| `(NOM_4711[^`]*)` \|", FILES, re.MULTILINE))
    assert len(named) == 4
    assert named <= {path.name for path in tmp_path.iterdir()}
