"""What somebody asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import attrs

Kind = Literal["instrument", "sink", "scripts"]
KINDS: Final[tuple[Kind, ...]] = ("instrument", "sink", "scripts")
"""What can be made: an instrument's reduction, somewhere to send results, or scripts of Mantid's live reduction."""


@attrs.frozen
class Request:
    """A plugin that is to be made.

    Attributes
    ----------
    name
        Name of the folder, of the import package and of the distribution.
    kind
        One of `KINDS`.
    instrument
        Name of the instrument; None for that of the plugin in capitals. For a sink the one that it is tried with, None
        for any that is installed.
    folder
        Where the folder of the plugin is made.
    idf
        Instrument definition to be copied; None for a small one.
    """

    name: str
    kind: Kind = "instrument"
    instrument: str | None = None
    folder: Path = attrs.field(factory=Path)
    idf: Path | None = None

    @property
    def target(self) -> Path:
        """The folder that is made."""
        return self.folder / self.name

    @property
    def instrument_name(self) -> str:
        """The name of the instrument."""
        return self.name.upper() if self.instrument is None else self.instrument

    @property
    def class_name(self) -> str:
        """Name of the plugin's class. Its ending keeps it apart from what its module imports, such as ``Result``."""
        return f"{self._words.removesuffix('Plugin')}Plugin"

    @property
    def settings_name(self) -> str:
        """Name of the class of its settings."""
        return f"{self._words.removesuffix('Plugin')}Settings"

    @property
    def _words(self) -> str:
        return "".join(part.capitalize() for part in self.name.split("_"))

    @property
    def distribution(self) -> str:
        """Name of the distribution, as package indexes write it."""
        return self.name.replace("_", "-")

    @property
    def plugin_name(self) -> str:
        """Name of the plugin in the configuration: ``[plugins.<name>]``."""
        return {"instrument": self.instrument_name.lower(), "sink": self.name, "scripts": "scripts"}[
            self.kind
        ]
