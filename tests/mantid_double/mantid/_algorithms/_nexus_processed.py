"""LoadNexusProcessed: what SaveNexusProcessed writes of histograms; after its C++ sources."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np

from mantid._algorithms._nexus_file import (
    attribute,
    attributes,
    dataset_in,
    groups_of,
    numbers,
    open_file,
    open_group,
    text,
)
from mantid.api._algorithm import Algorithm
from mantid.api._axes import UNITS
from mantid.api._data import GroupData, HistogramData, SingleData, WorkspaceData
from mantid.api._declared import output, value
from mantid.api._instrument import InstrumentData
from mantid.api._manager import register
from mantid.kernel._logger import Logger

_log = Logger("LoadNexusProcessed")
_ENTRY = "mantid_workspace_"


class _Loader(Algorithm):
    def load(self, entry_number: int) -> WorkspaceData:
        path = self["Filename"]
        if not Path(path).is_file():
            message = f'File "{path}" not found'
            raise ValueError(message)
        with open_file(path) as file:
            return _load_file(file, entry_number, self.getPropertyValue("OutputWorkspace"))


@register
class LoadNexusProcessed(_Loader):
    """Load what SaveNexusProcessed wrote: one workspace, or a group of all."""

    declared = (value("Filename", kind="str"), output(), value("EntryNumber", 0), value("LoadHistory", True))

    def exec(self) -> None:
        self["OutputWorkspace"] = self.load(self["EntryNumber"])


@register
class Load(_Loader):
    """Load a file with the loader that is most confident: the double has one."""

    declared = (value("Filename", kind="str"), output())

    def exec(self) -> None:
        self["OutputWorkspace"] = self.load(0)


def _load_file(file: Any, entry_number: int, output_name: str) -> WorkspaceData:
    groups = groups_of(file)
    if f"{_ENTRY}1" not in groups:
        message = "Cannot find a loader for this file"
        raise RuntimeError(message)
    # Older versions count all groups, later ones those of class NXentry.
    if set(groups.values()) != {"NXentry"}:
        message = "older versions take every group at the root for a workspace"
        raise RuntimeError(message)
    if entry_number > len(groups):
        message = "Invalid entry number specified."
        raise ValueError(message)
    first = _load_entry(file, f"{_ENTRY}{entry_number or 1}")
    if len(groups) == 1 or entry_number:
        return first
    log = first.run.properties.get("nperiods")
    if log is not None and log.value == len(groups):
        message = "the double does not load the periods of one run"
        raise RuntimeError(message)
    order = range(1, len(groups) + 1)
    members = [_load_entry(file, f"{_ENTRY}{number}") for number in order]
    names = [_workspace_name(file, f"{_ENTRY}{number}") for number in order]
    # The check of names looks at neighbours, and one is found twice also beside the empty one in front.
    if any(one == other for one, other in zip(["", *names], names, strict=False)):
        names = [""] * len(names)
    for number, (member, name) in enumerate(zip(members, names, strict=True), 1):
        member.name = _free_name(name or f"{output_name}_{number}")
    return GroupData(members)


def _free_name(name: str) -> str:
    from mantid.api._ads import AnalysisDataService

    free, number = name, 0
    while free in AnalysisDataService:
        number += 1
        free = f"{name}_{number}"
    return free


def _workspace_name(file: Any, entry: str) -> str:
    try:
        return text(open_group(file, entry, "NXentry"), "workspace_name")
    except RuntimeError:
        return ""


def _load_entry(file: Any, name: str) -> HistogramData:
    entry = open_group(file, name, "NXentry")
    data = open_group(entry, "workspace", "NXdata")
    x = numbers(data, "axis1")
    axis = attributes(dataset_in(data, "axis1"))
    values = attributes(dataset_in(data, "values"))
    second = attributes(dataset_in(data, "axis2")).get("units", "")
    y, e = numbers(data, "values"), numbers(data, "errors")
    if x.ndim > 2:
        message = "Unknown axis1 dimension encountered."
        raise RuntimeError(message)
    if (
        y.ndim != 2
        or e.shape != y.shape
        or x.shape[-1] - y.shape[1] not in (0, 1)
        or len(x) < len(y) * (x.ndim - 1)
    ):
        message = f"values{y.shape}, errors{e.shape} and axis1{x.shape} do not fit"
        raise RuntimeError(message)
    logs = entry.get("logs")
    is_single = y.shape == (1, 1) and (logs is None or len(logs) <= 1) and "instrument" not in entry
    made = (SingleData if is_single else HistogramData)(
        np.array(np.broadcast_to(x, (len(y), x.shape[-1]))), y, e
    )
    try:
        made.title = text(entry, "title")
    except RuntimeError:
        made.title = ""
    made.y_unit = values.get("units", "")
    made.y_unit_label = values.get("unit_label", "") or made.y_unit
    _set_x_unit(made, axis)
    made.distribution = axis.get("distribution") == "1"
    try:
        _load_sample(open_group(entry, "sample", "NXsample"))
        _load_logs(open_group(entry, "logs", "NXgroup"), made)
        _load_instrument(open_group(entry, "instrument", "NXinstrument"), made)
    except (RuntimeError, ET.ParseError) as error:
        _log.warning("Error loading Instrument section of nxs file")
        _log.warning(error)
    _load_spectra(entry, made)
    if second == "TextAxis":
        labels = [label for label in text(data, "axis2").split("\n") if label]
        if len(labels) > made.n:
            message = "more labels than spectra"
            raise IndexError(message)
        made.axis_labels = labels + [""] * (made.n - len(labels))
    elif second != "spectraNumber":
        message = f"the double has no second axis in {second!r}"
        raise RuntimeError(message)
    if "process" not in entry:
        _log.warning("Error opening the algorithm history field 'process'. Workspace will have no history.")
    return made


def _set_x_unit(made: HistogramData, axis: dict[str, str]) -> None:
    unit = axis.get("units", "")
    if unit not in UNITS:
        _log.information(f'Axis 0 set to unitless quantity "{unit}"')
        return
    made.x_unit = unit
    if unit == "Label":
        made.x_label = (axis.get("caption", ""), axis.get("label", ""))


def _load_sample(sample: Any) -> None:
    if sample.attrs.get("version") != 1:
        message = "the double knows version 1 of samples"
        raise RuntimeError(message)
    attribute(sample, "name")
    if attribute(sample, "shape_xml").strip():
        ET.fromstring(attribute(sample, "shape_xml"))
    material = open_group(sample, "material", "NXdata")
    attribute(material, "name")
    if material.attrs.get("version") != 2 or attribute(material, "formulaStyle") != "empty":
        message = "Only know how to read version 1 or 2 for Material"
        raise RuntimeError(message)
    for name in ("number_density", "packing_fraction", "temperature", "pressure"):
        numbers(material, name)
    for name in ("num_other_samples", "num_oriented_lattice"):
        if numbers(sample, name, "i4")[0]:
            message = "the double knows no other samples and no lattice"
            raise RuntimeError(message)


def _load_logs(logs: Any, made: HistogramData) -> None:
    for name, nx_class in groups_of(logs).items():
        if nx_class != "NXlog":
            continue
        log = open_group(logs, name, "NXlog")
        found = dataset_in(log, "value")
        if "time" in log:
            message = "the double loads no series"
            raise RuntimeError(message)
        if found.dtype.kind == "S":
            read: Any = text(log, "value").rstrip("\0")
        elif found.dtype.str[1:] in ("f4", "f8", "i4", "u4", "i8", "u8"):
            read = found[()].tolist()[0] if found.shape == (1,) else found[()]
        else:
            continue  # 8 and 16 bits are left out, without a word
        made.run.set(name, read, attributes(found).get("units", ""))
    charge = made.run.properties.get("proton_charge")
    if charge is not None:
        made.run.set("gd_prtn_chrg", float(charge.value), "uA.hour")


def _load_instrument(instrument: Any, made: HistogramData) -> None:
    name = text(instrument, "name").rstrip("\0").strip()
    try:
        xml = text(open_group(instrument, "instrument_xml", "NXnote"), "data").rstrip("\0").strip()
    except RuntimeError:
        xml = ""
    if not xml:
        message = f"the double has no definition of the instrument {name!r} but the one in the file"
        raise RuntimeError(message)
    root = ET.fromstring(xml)
    spaced = {each.tag.rpartition("}")[2]: each for each in root}
    if "type" not in spaced:
        message = "No type elements in XML instrument file"
        raise RuntimeError(message)
    if any(not each.findall("{*}location") for each in root.findall("{*}component")):
        message = "A component element must contain at least one <location> or <locations> element"
        raise RuntimeError(message)
    made.instrument = InstrumentData(name)
    if "instrument_parameter_map" in instrument:
        text(open_group(instrument, "instrument_parameter_map", "NXnote"), "data")


def _load_spectra(entry: Any, made: HistogramData) -> None:
    """Take spectrum numbers; without a list of detectors the ids stay what they are in any new workspace, 1 to n."""
    if "instrument" not in entry:
        return
    instrument = open_group(entry, "instrument", "NXinstrument")
    if "detector" not in instrument:
        _log.warning("version 2 of the loader looks for a geometry of the file, and finds none")
        return
    detector = open_group(instrument, "detector", "NXdetector")
    spectra = numbers(detector, "spectra", "i4")
    if len(spectra) > made.n:
        message = "more spectrum numbers than spectra"
        raise IndexError(message)
    made.spectrum_numbers = np.array([*spectra, *made.spectrum_numbers[len(spectra) :]])
    if "detector_list" in detector:
        message = "the double has no detectors"
        raise RuntimeError(message)
