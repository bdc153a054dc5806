import re
from pathlib import Path

import attrs
import pytest

from livered_core.config import Layer, merge, parse_layer, structure
from livered_core.config.reference import reference_tables, with_tables
from livered_core.config.schema import Config
from livered_core.config.structure import known_keys

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@attrs.frozen
class Nom:
    calibration: Path | None = None


@attrs.frozen
class Monitor:
    url: str = ""
    credentials_file: Path | None = None


def test_the_tables_are_those_of_the_classes() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert document == with_tables(document), (
        "run: python -m livered_core.config.reference docs/configuration.md"
    )


def test_every_key_is_in_the_tables() -> None:
    tables = reference_tables()
    for key in known_keys(Config):
        if key != "plugins":
            assert f"| `{key.split('.')[-1]}` |" in tables


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for the tables"):
        with_tables("# Configuration\n")


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_is_right(text: str) -> None:
    layers = [
        parse_layer(text, "example", Path("/etc/livered")),
        Layer("flags", {"instrument": "NOM"}, Path("/")),
    ]
    config = structure(
        merge(layers),
        {"nom": Nom, "publish_monitor": Monitor, "test_monitor": Monitor},
        {"HOME": "/home/somebody"},
        Path("/"),
    )
    assert config.instrument == "NOM"


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3
