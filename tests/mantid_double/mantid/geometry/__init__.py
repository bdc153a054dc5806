"""mantid.geometry."""

from __future__ import annotations

from mantid.api._instrument import Instrument

__all__ = ["Instrument"]
