"""The instrument beside which a plugin is tried that reduces nothing by itself: livered's own defaults do it."""

from __future__ import annotations

from typing import Final

from livered_core.hooks.markers import hookimpl

WHERE: Final = f"{__name__}:DefaultInstrument"
"""Where an entry point finds it."""


class DefaultInstrument:
    """Reduces any data as livered does where no plugin has an opinion: counts of all pixels over time of flight."""

    @hookimpl
    def on_error(self) -> None:
        """Do nothing: a plugin must have a hook, and this one is called where something is wrong already."""
