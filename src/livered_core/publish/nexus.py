"""A result as a NeXus file in HDF5.

Layout, by the NeXus manual (NXroot, NXentry, NXdata, "Associating plottable data using attributes applied to
the NXdata group"; errors as ``FIELDNAME_errors``)::

    /                        NXroot        @default = "entry"
      entry                  NXentry       @default = first curve
        title, entry_identifier, experiment_identifier, start_time, end_time, proton_charge, ...
        instrument           NXinstrument  name
        sample               NXsample      name, and one field for each thing that the stream says
        livered              NXcollection  complete, missing, final, counts
          versions           NXcollection  livered and plugins
          metadata           NXcollection  of the result
        bank_2_31_deg        NXdata        @signal, @axes; one group per curve, and per image
          title              the label
          d_spacing          float64[n] points, or the middle of each bin, @units
          d_spacing_edges    float64[n + 1], where the curve has bins, @units
          intensity          float64[n], @units
          intensity_errors   float64[n], @units, standard deviation
          metadata           NXcollection  of the curve

The axes are as long as the signal, although the manual allows edges: silx draws nothing else.

Needs h5py, which is imported when a file is made.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from livered_core.model import Curve, Image, Result, RunInfo, Update, format_utc
from livered_core.publish.text import one_line, unique_slugs

if TYPE_CHECKING:
    import h5py

ENTRY_FIELDS = frozenset(
    (
        "title",
        "entry_identifier",
        "experiment_identifier",
        "definition",
        "start_time",
        "end_time",
        "program_name",
        "proton_charge",
        "total_counts",
        "total_pulses",
        "instrument",
        "sample",
        "livered",
    )
)
"""Names in the entry that no curve may take."""


def nexus_bytes(
    result: Result, run: RunInfo, update: Update, versions: Mapping[str, str], written_ns: int
) -> bytes:
    """Make the NeXus file of a result in memory.

    Memory, so that a full disk is met by plain writes and not within the HDF5 library.

    Parameters
    ----------
    result, run, update
        What is written.
    versions
        Name to version of livered and the plugins.
    written_ns
        Time of writing, nanoseconds UTC since the Unix epoch.

    Returns
    -------
    bytes
        The content of an HDF5 file.

    Raises
    ------
    ImportError
        Where h5py is not installed.
    """
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["NX_class"] = "NXroot"
        file.attrs["default"] = "entry"
        file.attrs["file_time"] = format_utc(written_ns)
        file.attrs["creator"] = f"livered {versions.get('livered-core', '')}".strip()
        file.attrs["HDF5_Version"] = h5py.version.hdf5_version
        file.attrs["h5py_version"] = h5py.version.version
        entry = _group(file, "entry", "NXentry")
        _write_entry(entry, result, run, update)
        _write_collection(entry["livered"], "versions", versions)
        _write_collection(entry["livered"], "metadata", result.metadata)
        shown: tuple[Curve | Image, ...] = (*result.curves, *result.images)
        names = unique_slugs((item.label for item in shown), reserved=ENTRY_FIELDS, otherwise="curve")
        for name, item in zip(names, shown, strict=True):
            data = _group(entry, name, "NXdata")
            if isinstance(item, Curve):
                _write_curve(data, item)
            else:
                _write_image(data, item)
        if names:
            entry.attrs["default"] = names[0]
    return buffer.getvalue()


def _write_entry(entry: h5py.Group, result: Result, run: RunInfo, update: Update) -> None:
    entry["title"] = one_line(run.title or result.title)
    entry["entry_identifier"] = str(run.number)
    entry["experiment_identifier"] = one_line(run.proposal)
    if run.start_ns:
        entry["start_time"] = format_utc(run.start_ns)
    if update.last_pulse_ns:
        entry["end_time"] = format_utc(update.last_pulse_ns)
    entry["program_name"] = "livered"
    _field(entry, "proton_charge", update.proton_charge_pc, "picocoulomb")
    _field(entry, "total_counts", update.n_events, "counts")
    entry["total_pulses"] = update.n_pulses
    _group(entry, "instrument", "NXinstrument")["name"] = one_line(run.instrument)
    if run.sample:
        _write_collection(entry, "sample", run.sample, "NXsample")
    state: dict[str, Any] = {
        "run_number": run.number,
        "result_title": result.title,
        "complete": update.complete,
        "final": update.final,
        "update_sequence": update.sequence,
        "n_chunks": update.n_chunks,
        "n_pulses": update.n_pulses,
        "n_events": update.n_events,
        "skipped_chunks": update.skipped_chunks,
        "skipped_events": update.skipped_events,
        "dropped_chunks": update.dropped_chunks,
        "dropped_events": update.dropped_events,
        "first_pulse_ns": update.first_pulse_ns,
        "last_pulse_ns": update.last_pulse_ns,
    }
    collection = _write_collection(entry, "livered", state)
    collection.create_dataset(
        "missing", data=[one_line(reason) for reason in update.missing], dtype=_text_type()
    )


def _write_curve(data: h5py.Group, curve: Curve) -> None:
    signal, axis = _quantities((curve.y_name or "y", curve.x_name or "x"))
    data.attrs["signal"] = signal
    data.attrs["axes"] = [axis]
    data.attrs[f"{axis}_indices"] = 0
    data["title"] = one_line(curve.label)
    _field(data, axis, curve.x_centres, curve.x_unit, curve.x_name)
    if curve.is_histogram:
        _field(data, f"{axis}_edges", curve.x, curve.x_unit)
    _field(data, signal, curve.y, curve.y_unit, curve.y_name)
    _field(data, f"{signal}_errors", curve.e, curve.y_unit)
    if curve.metadata:
        _write_collection(data, "metadata", curve.metadata)


def _write_image(data: h5py.Group, image: Image) -> None:
    data.attrs["signal"] = "z"
    data.attrs["axes"] = ["y", "x"]
    data.attrs["y_indices"] = 0
    data.attrs["x_indices"] = 1
    data["title"] = one_line(image.label)
    for name, edges, unit in (("x", image.x, image.x_unit), ("y", image.y, image.y_unit)):
        _field(data, name, (edges[:-1] + edges[1:]) / 2, unit)
        _field(data, f"{name}_edges", edges, unit)
    _field(data, "z", image.z, image.z_unit)
    if image.metadata:
        _write_collection(data, "metadata", image.metadata)


def _quantities(names: tuple[str, str]) -> tuple[str, str]:
    """Names of signal and axis that collide neither with each other nor with what else is in the group."""
    signal, axis = unique_slugs(names, reserved=("title", "metadata", "errors"), otherwise="values")
    given = [name.lower() for name in (signal, axis, f"{signal}_errors", f"{axis}_edges")]
    return (signal, axis) if len(set(given)) == len(given) else ("y", "x")


def _write_collection(
    parent: h5py.Group, name: str, notes: Mapping[str, Any], nx_class: str = "NXcollection"
) -> h5py.Group:
    """Write numbers and texts, one field each; the original name stands in ``@key`` where it had to change."""
    collection = _group(parent, name, nx_class)
    for field, (key, note) in zip(unique_slugs(notes), notes.items(), strict=True):
        collection[field] = _storable(note)
        if field != key:
            collection[field].attrs["key"] = one_line(key)
    return collection


def _group(parent: h5py.Group, name: str, nx_class: str) -> h5py.Group:
    group = parent.create_group(name, track_order=True)
    group.attrs["NX_class"] = nx_class
    return group


def _field(group: h5py.Group, name: str, values: npt.ArrayLike, unit: str, quantity: str = "") -> None:
    group[name] = values
    group[name].attrs["units"] = one_line(unit)
    if quantity:
        group[name].attrs["long_name"] = one_line(f"{quantity} ({unit})")


def _storable(note: Any) -> Any:
    """Give a number that HDF5 can hold, or the value as one line of text."""
    if isinstance(note, bool | np.bool_ | float | np.floating):
        return note
    if isinstance(note, int | np.integer) and -(2**63) <= int(note) < 2**63:
        return int(note)
    return one_line(str(note))


def _text_type() -> Any:
    import h5py

    return h5py.string_dtype()
