"""The same events as livered's own and as a Mantid workspace, made with plain parts of Mantid's Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from definition_support import CUBOID, definition
from livered_core import Chunk, EventBatch, InstrumentDefinition
from livered_core.workspaces import run_algorithm

START_NS = 1_700_000_000_000_000_000
PIXELS_OF_A_BANK = 20
BANKS = ((15.0, 2.0), (31.0, 1.7), (67.0, 1.2), (122.0, 1.15), (154.0, 0.8), (7.0, 2.55))
"""Scattering angle, degrees, and L2, metres, of each bank's middle."""


def small_definition() -> str:
    """Return an instrument like NOMAD with six banks of 20 pixels: ids 0 to 119, monitors -1 and -2."""
    places = []
    for angle, l2 in BANKS:
        for pixel in range(PIXELS_OF_A_BANK):
            two_theta = np.radians(angle * (1 + 0.01 * (pixel - 10)))
            along = l2 * (1 + 0.003 * pixel)
            places.append(
                f'<location x="{along * np.sin(two_theta):.9f}" y="0.001" z="{along * np.cos(two_theta):.9f}"/>'
            )
    return definition(
        "NOMAD",
        -19.5,
        f"""
  <component type="monitor" idlist="monitors"><location z="-0.879475"/><location z="5.748782"/></component>
  <type name="monitor" is="monitor">{CUBOID}</type>
  <idlist idname="monitors"><id val="-1"/><id val="-2"/></idlist>
  <component type="pixel" idlist="pixels">{"".join(places)}</component>
  <type name="pixel" is="detector">{CUBOID}</type>
  <idlist idname="pixels"><id start="0" end="{len(places) - 1}"/></idlist>
""",
    )


def batch_of(pixel: Any, tick: Any, charge_pc: float = 3.6e9) -> EventBatch:
    """Make a batch of one pulse."""
    ticks = np.asarray(tick, np.uint32)
    return EventBatch(
        pixel_id=np.asarray(pixel, np.uint32),
        tof=ticks,
        pulse_time_ns=np.array([START_NS]),
        proton_charge_pc=np.array([charge_pc]),
        event_offset=np.array([0, len(ticks)], np.int64),
        flags=np.zeros(1, np.uint32),
    )


def native_chunk(batch: EventBatch, definition: InstrumentDefinition, logs: Any = None) -> Chunk:
    return _chunk("native", batch, batch, logs, definition)


def mantid_chunk(batch: EventBatch, workspace: Any, logs: Any = None) -> Chunk:
    return _chunk("mantid", batch, workspace, logs, None)


def _chunk(
    model: Any, batch: EventBatch, data: Any, logs: Any, definition: InstrumentDefinition | None
) -> Chunk:
    charge_pc = float(batch.proton_charge_pc.sum())
    return Chunk(1, model, data, START_NS, START_NS, 1, batch.n_events, charge_pc, logs or {}, definition)


def workspace_of(batch: EventBatch, definition_file: Path) -> Any:
    """Make an EventWorkspace: a spectrum for each detector, monitors too; events of others are left out."""
    from mantid.kernel import DateAndTime

    workspace = run_algorithm("LoadEmptyInstrument", Filename=str(definition_file), MakeEventWorkspace=True)
    workspace.getAxis(0).setUnit("TOF")
    time = DateAndTime("2023-11-14T22:13:20")
    index = {
        int(next(iter(workspace.getSpectrum(i).getDetectorIDs()))): i
        for i in range(workspace.getNumberHistograms())
    }
    spectra: dict[int, Any] = {}
    for pixel, tick in zip(batch.pixel_id.tolist(), batch.tof.tolist(), strict=True):
        if pixel not in index:
            continue
        if pixel not in spectra:
            spectra[pixel] = workspace.getSpectrum(index[pixel])
        spectra[pixel].addEventQuickly(tick / 10.0, time)
    return workspace
