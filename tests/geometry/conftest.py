from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from livered_core.geometry import read_instrument
from livered_core.geometry.logs import Logs
from livered_core.model import Instrument, InstrumentDefinition

REPOSITORY = Path(__file__).parents[2]

SOURCE_AND_SAMPLE = """
<component type="source"><location z="-10"/></component><type name="source" is="Source"/>
<component type="sample"><location/></component><type name="sample" is="SamplePos"/>
"""


def wrap(body: str, defaults: str = "") -> InstrumentDefinition:
    """An instrument with source at z = -10, sample at 0, a detector type "pixel" and a list of ids from 0 on."""
    xml = f"""<?xml version="1.0" encoding="UTF-8"?>
<instrument xmlns="http://www.mantidproject.org/IDF/1.0" name="TEST" valid-from="2000-01-01 00:00:00">
<defaults><length unit="meter"/><angle unit="degree"/>{defaults}</defaults>
{SOURCE_AND_SAMPLE}
<type name="pixel" is="detector"/>
{body}
</instrument>"""
    return InstrumentDefinition("TEST", xml)


Read = Callable[..., Instrument]


@pytest.fixture(scope="session")
def read() -> Read:
    """Read a body of types, components and idlists, wrapped into an instrument."""

    def _read(body: str, defaults: str = "", logs: Logs | None = None) -> Instrument:
        return read_instrument(wrap(body, defaults), logs)

    return _read


@pytest.fixture(scope="session")
def define() -> Callable[..., InstrumentDefinition]:
    """Wrap a body into a definition without reading it."""
    return wrap


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of large reference data beside the repository."""
    folder = REPOSITORY.parent / "shared"
    if not (folder / "reference" / "golden").is_dir():
        pytest.skip("the reference data are not here (a folder `shared` beside the repository)")
    return folder
