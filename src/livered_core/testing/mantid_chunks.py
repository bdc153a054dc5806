"""Chunks of the native model as Mantid's workspaces."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np

from livered_core.errors import DataModelError
from livered_core.model import Chunk, EventBatch, InstrumentDefinition, SlowLog
from livered_core.sources.mantid_facilities import import_mantid
from livered_core.workspaces import run_algorithm

_UAH_PER_PC: Final = 1e-12 / (1e-6 * 3600)
_TICK_US: Final = 0.1


def as_mantid(chunk: Chunk) -> Chunk:
    """Make the chunk that the mantid backend would have made of the same data.

    Its data are an EventWorkspace with a spectrum for each detector of the instrument, and the pulses' proton charge and
    the slow logs in its run, which is not in the analysis data service. Events of pixels that the definition does not
    have are left out, as Mantid does, and are not counted. Mantid takes events one by one from Python: give it some
    thousands, not millions.

    Parameters
    ----------
    chunk
        Of the native model, with an instrument definition.

    Returns
    -------
    Chunk
        Of the mantid model.

    Raises
    ------
    BackendUnavailable
        Where Mantid cannot be imported.
    DataModelError
        For a chunk of another model, or one without a definition.
    """
    if not isinstance(chunk.data, EventBatch):
        message = f"as_mantid got chunk {chunk.sequence}, which holds a {type(chunk.data).__name__}: give a native one."
        raise DataModelError(message)
    if chunk.instrument is None:
        message = (
            f"as_mantid got chunk {chunk.sequence} without an instrument definition: Mantid needs one, "
            "for example that of small_instrument()."
        )
        raise DataModelError(message)
    import_mantid()
    workspace = _empty_workspace(chunk.instrument)
    n_events = _fill(workspace, chunk.data)
    _put_logs(workspace, chunk)
    return attrs.evolve(
        chunk,
        model="mantid",
        data=workspace,
        n_events=n_events,
        instrument=None,
        monitors={},
        pixel_map=None,
        n_error_pixel_events=0,
        n_unmapped_events=0,
    )


def _empty_workspace(instrument: InstrumentDefinition) -> Any:
    with tempfile.TemporaryDirectory(prefix="livered-") as folder:
        # Mantid takes the definition of an instrument from a file with such a name.
        path = Path(folder) / f"{instrument.name}_Definition.xml"
        path.write_text(instrument.xml, encoding="utf-8")
        workspace = run_algorithm("LoadEmptyInstrument", Filename=str(path), MakeEventWorkspace=True)
    workspace.getAxis(0).setUnit("TOF")
    return workspace


def _fill(workspace: Any, batch: EventBatch) -> int:
    from mantid.kernel import DateAndTime

    index = {
        int(detector): spectrum
        for spectrum in range(workspace.getNumberHistograms())
        for detector in workspace.getSpectrum(spectrum).getDetectorIDs()
    }
    spectra: dict[int, Any] = {}
    n_events = 0
    for pulse, time_ns in enumerate(batch.pulse_time_ns.tolist()):
        events = slice(int(batch.event_offset[pulse]), int(batch.event_offset[pulse + 1]))
        time = DateAndTime(_iso(time_ns))
        for pixel, tick in zip(batch.pixel_id[events].tolist(), batch.tof[events].tolist(), strict=True):
            if pixel not in index:
                continue
            if pixel not in spectra:
                spectra[pixel] = workspace.getSpectrum(index[pixel])
            spectra[pixel].addEventQuickly(tick * _TICK_US, time)
            n_events += 1
    return n_events


def _put_logs(workspace: Any, chunk: Chunk) -> None:
    from mantid import kernel

    run, batch = workspace.mutableRun(), chunk.events
    charge = kernel.FloatTimeSeriesProperty("proton_charge")
    charge.units = "picoCoulombs"
    for time_ns, value in zip(batch.pulse_time_ns.tolist(), batch.proton_charge_pc.tolist(), strict=True):
        charge.addValue(_iso(time_ns), value)
    if batch.n_pulses:
        run.addProperty("proton_charge", charge, True)
        run.addProperty("run_start", _iso(int(batch.pulse_time_ns[0])), True)
    run.addProperty("gd_prtn_chrg", float(batch.proton_charge_pc.sum()) * _UAH_PER_PC, True)
    for log in chunk.logs.values():
        series = _series(kernel, log)
        if series is not None:
            run.addProperty(log.name, series, True)


def _series(kernel: Any, log: SlowLog) -> Any:
    """Make a time series; None for values that are arrays, for which Mantid has no log."""
    if log.value.dtype != object:
        series = kernel.FloatTimeSeriesProperty(log.name)
    elif all(isinstance(value, str) for value in log.value):
        series = kernel.StringTimeSeriesProperty(log.name)
    else:
        return None
    series.units = log.unit
    for time_ns, value in zip(log.time_ns.tolist(), log.value.tolist(), strict=True):
        series.addValue(_iso(time_ns), value)
    return series


def _iso(time_ns: int) -> str:
    """Write a time as Mantid reads it everywhere."""
    return str(np.datetime64(time_ns, "ns"))
