"""NeXus files as Mantid reads them: what its NeXus library gives and refuses."""

from __future__ import annotations

from typing import Any

import numpy as np

try:
    import h5py
except ImportError:
    # A Mantid without HDF5 is none; the double does without, as long as nobody loads a file.
    h5py = None

NexusError = RuntimeError
"""NeXus::Exception is a std::runtime_error."""


def open_file(path: str) -> Any:
    return h5py.File(path, "r")


def open_group(parent: Any, name: str, nx_class: str) -> Any:
    """Open a group, which must be of the class."""
    group = parent.get(name)
    if not isinstance(group, h5py.Group):
        message = f"Cannot open group {name} of class {nx_class} (trying to open path {parent.name}/{name})"
        raise NexusError(message)
    found = attribute(group, "NX_class")
    if found != nx_class:
        message = f'group class is not identical: "{found}" != "{nx_class}"'
        raise NexusError(message)
    return group


def groups_of(parent: Any) -> dict[str, str]:
    """Name to class of the groups that count: those whose class begins with NX or IX."""
    classes = {
        name: attribute(each, "NX_class")
        for name, each in parent.items()
        if isinstance(each, h5py.Group) and "NX_class" in each.attrs
    }
    return {name: found for name, found in classes.items() if found[:2] in ("NX", "IX")}


def attribute(item: Any, name: str) -> str:
    """Read a text; a missing one is an error."""
    if name not in item.attrs:
        message = f"no attribute {name} in {item.name}"
        raise NexusError(message)
    identifier = h5py.h5a.open(item.id, name.encode())
    kind = identifier.get_type()
    if kind.get_class() != h5py.h5t.STRING:
        message = f"attribute {name} of {item.name} is no text"
        raise NexusError(message)
    if len(identifier.get_space().shape) > 1:
        message = "Encountered attribute with multi-dimensional array value"
        raise NexusError(message)
    return _read(identifier, kind).decode()


def attributes(dataset: Any) -> dict[str, str]:
    """All attributes of a dataset as texts, as NXObject reads them: one array among them, and it fails."""
    found = {}
    for name in dataset.attrs:
        identifier = h5py.h5a.open(dataset.id, name.encode())
        kind = identifier.get_type()
        if kind.get_class() == h5py.h5t.STRING:
            found[name] = attribute(dataset, name)
            if len(found[name].encode()) > 127:
                message = (
                    f"attribute {name} of {dataset.name} is longer than the 128 bytes that are kept for it"
                )
                raise NexusError(message)
        elif identifier.get_space().shape not in ((), (1,)):
            message = "Encountered attribute with array value"
            raise NexusError(message)
        elif kind.get_class() == h5py.h5t.INTEGER and kind.get_size() in (2, 4):
            found[name] = str(int(dataset.attrs[name]))
    return found


def dataset_in(group: Any, name: str) -> Any:
    found = group.get(name)
    if not isinstance(found, h5py.Dataset):
        message = f'Error opening data in group "{name}"'
        raise NexusError(message)
    return found


def numbers(group: Any, name: str, kinds: str = "f8") -> np.ndarray:
    """Read numbers, which nothing converts: of another type they would be other numbers."""
    found = dataset_in(group, name)
    if found.dtype != np.dtype(kinds):
        message = f"{found.name} is of type {found.dtype} and is read as {kinds}"
        raise NexusError(message)
    if not found.size:
        message = f"Attempt to load from an empty dataset {found.name}"
        raise NexusError(message)
    return np.atleast_1d(found[()])


def text(group: Any, name: str) -> str:
    """Read a text: as long as the string in the file, without blanks around it, filled up with NUL."""
    found = dataset_in(group, name)
    kind = found.id.get_type()
    if kind.get_class() != h5py.h5t.STRING or found.shape != (1,):
        message = f"{found.name} is no text of one string"
        raise NexusError(message)
    data = _read(found.id, kind)
    trimmed = data.strip()
    if not trimmed:
        message = f"Attempt to load from an empty dataset {found.name}"
        raise NexusError(message)
    return trimmed.ljust(kind.get_size(), b"\0").decode()


def _read(identifier: Any, kind: Any) -> bytes:
    """Read with the type that the library asks for, NUL-terminated: of others HDF5 cuts the last byte off."""
    if kind.is_variable_str():
        message = "the double reads no strings of variable length, which old versions of Mantid do not either"
        raise NexusError(message)
    asked = h5py.h5t.C_S1.copy()
    asked.set_size(kind.get_size())
    given = np.zeros(identifier.get_space().shape, f"S{kind.get_size()}")
    if isinstance(identifier, h5py.h5a.AttrID):
        identifier.read(given, mtype=asked)
    else:
        identifier.read(h5py.h5s.ALL, h5py.h5s.ALL, given, mtype=asked)
    return bytes(given.reshape(-1)[0])
