"""The curves of a result as a file that Mantid loads as workspaces.

Mantid has no algorithm that reads NXdata; its LoadNexusProcessed, which Load chooses for a file with a group
``mantid_workspace_1``, reads the layout of its SaveNexusProcessed. Layout and what the loader insists on are taken from
LoadNexusProcessed, NexusFileIO, ExperimentInfo, Sample, Material and PropertyNexus of Mantid 5 and 6, and from a file
that Mantid 5.1 wrote::

    /
      mantid_workspace_1     NXentry       one for curves with the same axes; older loaders count all groups here
        title, workspace_name, definition, definition_local
        workspace            NXdata
          values             float64[m, n] @units, @unit_label, @signal, @axes
          errors             float64[m, n]
          axis1              float64[n] points or [n + 1] edges, of all m curves, or [m, ...] of each;
                             @units (Mantid's identifier), @distribution, and @caption, @label of a "Label"
          axis2              the m labels, one a line, @units = "TextAxis"
        instrument           NXinstrument  name
          instrument_xml     NXnote        a definition without components: no detector belongs to a curve
          instrument_parameter_map  NXnote
          detector           NXdetector    spectra int32[m], 1 to m
        sample               NXsample      @name, material and sizes that say nothing
        logs                 NXgroup       one NXlog for each
        process              NXprocess     MantidEnvironment

Texts are HDF5 strings of fixed length, without a NUL at the end, as the NeXus library writes them: scalars for
attributes, arrays of one for datasets. Of other lengths and shapes its versions read different things.

Needs h5py, which is imported when a file is made.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import quoteattr

import numpy as np

from livered_core.model import Curve, Result, RunInfo, Update, format_utc
from livered_core.publish.mantid_logs import logs_of
from livered_core.publish.mantid_units import is_distribution, x_unit, y_unit
from livered_core.publish.text import one_line, unique_slugs

if TYPE_CHECKING:
    import h5py

_LONGEST_ATTRIBUTE: Final = 100
"""Bytes. Mantid reads attributes into 128 bytes, and more only in newer versions."""
_VERSION: Final = np.int32(1)


def mantid_bytes(
    result: Result, run: RunInfo, update: Update, versions: Mapping[str, str], written_ns: int
) -> bytes | None:
    """Make the file in memory.

    Parameters
    ----------
    result, run, update
        What is written: the curves, but not the images, which Mantid has no errors for.
    versions
        Name to version of livered and the plugins.
    written_ns
        Time of writing, nanoseconds UTC since the Unix epoch.

    Returns
    -------
    bytes or None
        The content of an HDF5 file; None when there is no curve with a value: Mantid loads no empty workspace.

    Raises
    ------
    ImportError
        Where h5py is not installed.
    """
    import h5py

    groups = group_curves(result.curves)
    if not groups:
        return None
    logs = logs_of(result, run, update)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        _set_attributes(
            file,
            {"file_time": format_utc(written_ns), "creator": f"livered {versions.get('livered-core', '')}"},
        )
        for number, (name, curves) in enumerate(zip(_names(groups, run), groups, strict=True), 1):
            entry = _group(file, f"mantid_workspace_{number}", "NXentry")
            _write_header(entry, one_line(run.title or result.title), name)
            _write_curves(_group(entry, "workspace", "NXdata"), curves)
            _write_instrument(_group(entry, "instrument", "NXinstrument", _VERSION), run, len(curves))
            _write_sample(_group(entry, "sample", "NXsample", _VERSION), run)
            _write_logs(_group(entry, "logs", "NXgroup", _VERSION), logs)
            _write_process(_group(entry, "process", "NXprocess"), versions)
    return buffer.getvalue()


def group_curves(curves: Sequence[Curve]) -> list[list[Curve]]:
    """Put together what becomes one workspace: curves of the same quantities, units and number of bins or points.

    Returns
    -------
    list of list of Curve
        In the order of each group's first curve. Curves without values are left out.
    """
    groups: dict[tuple[object, ...], list[Curve]] = {}
    for curve in curves:
        if len(curve.y):
            axes = (curve.x_unit, curve.x_name, curve.y_unit, curve.y_name)
            groups.setdefault((*axes, len(curve.x), len(curve.y)), []).append(curve)
    return list(groups.values())


def _names(groups: Sequence[Sequence[Curve]], run: RunInfo) -> list[str]:
    """Name each workspace after its curve, or after what is on the x axis of several; all differ, or Mantid drops them."""
    named = [group[0].label if len(group) == 1 else group[0].x_name or group[0].label for group in groups]
    return unique_slugs((f"{run.instrument} {run.number} {name}" for name in named), otherwise="curves")


def _write_header(entry: h5py.Group, title: str, name: str) -> None:
    _write_text(entry, "title", title)
    _write_text(entry, "workspace_name", name)
    for dataset, url in (
        ("definition", "http://www.nexusformat.org/instruments/xml/NXprocessed.xml"),
        ("definition_local", "http://www.isis.rl.ac.uk/xml/IXmantid.xml"),
    ):
        _write_text(entry, dataset, "Mantid Processed Workspace", {"URL": url, "Version": "1.0"})


def _write_curves(data: h5py.Group, curves: Sequence[Curve]) -> None:
    first = curves[0]
    data["values"] = np.stack([curve.y for curve in curves])
    unit = y_unit(first)
    _set_attributes(data["values"], {"units": unit, "unit_label": unit, "axes": "axis2,axis1"})
    data["values"].attrs["signal"] = np.int32(1)
    data["errors"] = np.stack([curve.e for curve in curves])
    shared = all(np.array_equal(curve.x, first.x) for curve in curves)
    data["axis1"] = first.x if shared else np.stack([curve.x for curve in curves])
    x = x_unit(first)
    attributes = {"distribution": str(int(is_distribution(first))), "units": x.unit_id}
    attributes |= {key: text for key, text in (("caption", x.caption), ("label", x.symbol)) if text}
    _set_attributes(data["axis1"], attributes)
    # The loader leaves out empty lines, and would give their places to the labels behind them. A line feed at the end
    # is cut off by some versions of the NeXus library, whose length then no longer fits.
    labels = [one_line(curve.label) or f"curve {number}" for number, curve in enumerate(curves, 1)]
    _write_text(data, "axis2", "\n".join(labels), {"units": "TextAxis"})


def _write_instrument(instrument: h5py.Group, run: RunInfo, n_spectra: int) -> None:
    """Write the instrument's name with a definition of its own: by the name alone Mantid would load all its detectors.

    Without the group ``detector`` newer versions look for a geometry in the file, and warn; without a list of detectors
    in it they ask for none.
    """
    name = one_line(run.instrument)
    _write_text(instrument, "name", name)
    xml = _group(instrument, "instrument_xml", "NXnote")
    _write_text(xml, "data", _instrument_xml(name))
    _write_text(xml, "type", "text/xml")
    _write_text(xml, "description", "The name of the instrument, without its components.")
    parameters = _group(instrument, "instrument_parameter_map", "NXnote", _VERSION)
    # Parameters stand between such bars; of a blank some versions read nothing, and fail.
    _write_text(parameters, "data", "|")
    detector = _group(instrument, "detector", "NXdetector", _VERSION)
    detector["spectra"] = np.arange(1, n_spectra + 1, dtype=np.int32)


def _instrument_xml(name: str) -> str:
    """Make a definition of nothing but a name. Mantid's parser wants a type; a component without a source it warns of."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<instrument xmlns="http://www.mantidproject.org/IDF/1.0" name={quoteattr(name)}'
        ' valid-from="1900-01-31 23:59:59" valid-to="2100-01-31 23:59:59" last-modified="2026-11-29 00:00:00">'
        '<type name="sample-position" is="SamplePos"/></instrument>'
    )


def _write_sample(sample: h5py.Group, run: RunInfo) -> None:
    """Write the sample's name, and all that the loader reads without asking whether it is there."""
    name = one_line(run.sample.get("name", ""))
    _set_attributes(sample, {"name": name, "shape_xml": ""})
    if not name:
        sample.attrs["name_empty"] = np.int32(1)
    material = _group(sample, "material", "NXdata", np.int32(2))
    _set_attributes(material, {"name": "", "formulaStyle": "empty"})
    for field, value in (
        ("number_density", 0.0),
        ("packing_fraction", 1.0),
        ("temperature", 0.0),
        ("pressure", 0.0),
    ):
        material[field] = np.array([value])
    for field in ("num_other_samples", "num_oriented_lattice", "geom_id"):
        sample[field] = np.array([0], np.int32)
    for field in ("geom_thickness", "geom_height", "geom_width"):
        sample[field] = np.array([0.0])


def _write_logs(logs: h5py.Group, values: Mapping[str, tuple[float | int | str, str]]) -> None:
    for name, (value, unit) in values.items():
        log = _group(logs, name, "NXlog")
        if isinstance(value, str):
            _write_text(log, "value", value, {"units": unit})
        else:
            log["value"] = np.array([value], np.float64 if isinstance(value, float) else np.int64)
            _set_attributes(log["value"], {"units": unit})


def _write_process(process: h5py.Group, versions: Mapping[str, str]) -> None:
    note = _group(process, "MantidEnvironment", "NXnote")
    _write_text(note, "author", "livered")
    _write_text(note, "description", "Versions")
    lines = [f"{one_line(name)}: {one_line(version)}" for name, version in versions.items()]
    _write_text(note, "data", "\n".join(lines))


def _group(parent: h5py.Group, name: str, nx_class: str, version: np.int32 | None = None) -> h5py.Group:
    group = parent.create_group(name)
    _set_attributes(group, {"NX_class": nx_class})
    if version is not None:
        group.attrs["version"] = version
    return group


def _set_attributes(item: Any, texts: Mapping[str, str]) -> None:
    import h5py

    for name, text in texts.items():
        data = _stored(text, _LONGEST_ATTRIBUTE)
        kind = _text_type(data)
        attribute = h5py.h5a.create(item.id, name.encode(), kind, h5py.h5s.create(h5py.h5s.SCALAR))
        attribute.write(np.array(data), mtype=kind)


def _write_text(group: h5py.Group, name: str, text: str, attributes: Mapping[str, str] | None = None) -> None:
    import h5py

    data = _stored(text)
    kind = _text_type(data)
    dataset = h5py.h5d.create(group.id, name.encode(), kind, h5py.h5s.create_simple((1,)))
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([data]), mtype=kind)
    _set_attributes(group[name], attributes or {})


def _stored(text: str, longest: int | None = None) -> bytes:
    """Encode a text; an empty one is a blank, as Mantid itself writes it: HDF5 has no strings of length 0."""
    return text.encode()[:longest].decode(errors="ignore").encode() or b" "


def _text_type(data: bytes) -> Any:
    """Make the type of a text: HDF5 would write another kind of padding by itself, and cut the last byte when read."""
    import h5py

    kind = h5py.h5t.C_S1.copy()
    kind.set_size(len(data))
    return kind
