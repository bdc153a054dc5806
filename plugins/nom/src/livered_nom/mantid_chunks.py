"""Live chunks of Mantid's: what is prepared for them, and counting them."""

from __future__ import annotations

import logging
import time

import attrs

from livered_core import Chunk
from livered_core.diffraction import EventFilter
from livered_nom.counts import NomCounts, Tables
from livered_nom.mantid_counts import check_events, check_leave_out, count_workspace, monitor_counts
from livered_nom.mantid_focus import Focusing, prepare_focusing
from livered_nom.mantid_geometry import MantidGeometry, read_geometry

log = logging.getLogger(__name__)


class MantidChunks:
    """Counts chunks of the model ``"mantid"``; one chunk at a time. No workspace of a chunk is kept.

    Parameters
    ----------
    leave_out
        What is filtered out of the events.
    monitor
        Number of the beam monitor that is counted.
    """

    def __init__(self, leave_out: EventFilter, monitor: int) -> None:
        self._leave_out = leave_out
        self._monitor = monitor
        self._geometry: MantidGeometry | None = None
        self._focusing: tuple[MantidGeometry, Tables, Focusing] | None = None

    def forget(self) -> None:
        """Prepare anew for the next chunk: another run may have the instrument at other places."""
        self._geometry, self._focusing = None, None

    def geometry(self, chunk: Chunk) -> MantidGeometry:
        """Return where the pixels of a chunk are: the same object as long as nothing has moved.

        Raises
        ------
        DataModelError
            When it holds no events, or something is to be left out that cannot be.
        GeometryError
            When it has no instrument.
        """
        check_leave_out(self._leave_out)
        check_events(chunk.data, f"Chunk {chunk.sequence}")
        if self._geometry is None or not self._geometry.is_of(chunk.data):
            began = time.monotonic()
            self._geometry = read_geometry(chunk.data)
            log.debug(
                "%s: %d pixels read from Mantid's workspace in %.1f s",
                self._geometry.instrument.name,
                len(self._geometry.instrument.pixel_id),
                time.monotonic() - began,
            )
        return self._geometry

    def count(self, chunk: Chunk, tables: Tables) -> NomCounts:
        """Count a chunk.

        Parameters
        ----------
        chunk
            Of the model ``"mantid"``.
        tables
            For the instrument that `geometry` gives.

        Raises
        ------
        DataModelError
            When one of Mantid's algorithms fails.
        """
        geometry = self.geometry(chunk)
        if self._focusing is None or self._focusing[0] is not geometry or self._focusing[1] is not tables:
            prepared = prepare_focusing(chunk.data, geometry.detector_id, tables)
            self._focusing = geometry, tables, prepared
        counts = count_workspace(
            chunk.data,
            geometry.detector_id,
            self._focusing[2],
            tables,
            self._leave_out,
            chunk.proton_charge_pc,
        )
        return attrs.evolve(
            counts,
            monitor_counts=monitor_counts(chunk.data, self._monitor),
            n_lost_before=chunk.n_error_pixel_events + chunk.n_unmapped_events,
        )
