"""HDF5 files from outside, read with care: inside the file only, in windows, with bounded texts.

Links are resolved here one by one, because HDF5 itself would follow a link into another file. Needs h5py, which is
imported when a file is opened.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.adara.wire import LONGEST_TEXT
from livered_core.errors import BackendUnavailable, ConfigError
from livered_core.model.text import one_line

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
"""First bytes of an HDF5 file."""
MOST_VALUES: Final = 50_000_000
"""Values that are read at a time."""

_MOST_TEXT: Final = 4 * LONGEST_TEXT
"""Bytes of all texts of a dataset."""
_LARGEST_CHUNK: Final = 256 * 1024 * 1024
"""Bytes that HDF5 may have to unpack to read one value."""
_MOST_LINKS: Final = 16
_MOST_NAMES: Final = 100_000


def is_hdf5(path: Path) -> bool:
    """Whether a file begins as HDF5 files do; false as well for what cannot be read."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(SIGNATURE)) == SIGNATURE
    except OSError:
        return False


@contextmanager
def open_nexus(path: Path) -> Iterator[NexusFile]:
    """Open an HDF5 file for reading.

    Raises
    ------
    ConfigError
        When it cannot be opened.
    BackendUnavailable
        Where h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        message = f"NeXus file {path} needs h5py: pip install 'livered-core[native]'."
        raise BackendUnavailable(message) from error
    try:
        file = h5py.File(path, "r", locking="best-effort")
    except (OSError, RuntimeError, ValueError) as error:
        message = f"NeXus file {path} cannot be opened ({one_line(str(error))}): give one that is whole."
        raise ConfigError(message) from error
    with file:
        yield NexusFile(path, h5py, file)


@attrs.frozen(eq=False)
class NexusFile:
    """An open file; groups and datasets are h5py's own. All methods raise ConfigError when something is damaged."""

    path: Path
    _h5py: Any
    _root: Any

    @property
    def root(self) -> Any:
        """The group that holds all others."""
        return self._root

    def error(self, what: str) -> ConfigError:
        """Make an error of a sentence about this file: what it does, without the file."""
        return ConfigError(f"NeXus file {self.path} {one_line(what)}.")

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Turn what HDF5, or a value that is none, raises into an error that says where it was."""
        try:
            yield
        except (OSError, RuntimeError, ValueError, TypeError, KeyError, MemoryError) as error:
            reason = one_line(str(error)) or type(error).__name__
            raise self.error(f"cannot be read at {what} ({reason}): it is damaged") from error

    def names(self, group: Any) -> list[str]:
        """List what is in a group, by name."""
        with self.reading(group.name):
            if len(group) > _MOST_NAMES:
                raise self.error(
                    f"has {len(group)} members in {group.name}: more than {_MOST_NAMES} are not read"
                )
            names = list(group)
            if not all(isinstance(name, str) for name in names):
                raise self.error(f"has a name in {group.name} that is not UTF-8: it is damaged")
            return sorted(names)

    def child(self, group: Any, path: str) -> Any | None:
        """Find a group or dataset inside the file; None when it is not there.

        Parameters
        ----------
        group
            Where to begin.
        path
            Names with ``/`` between them; with one before them it begins at the root.

        Raises
        ------
        ConfigError
            When a link leads into another file, or in circles.
        """
        with self.reading(path):
            return self._resolved(group, path, _MOST_LINKS)

    def _resolved(self, group: Any, path: str, links_left: int) -> Any | None:
        here = self._root if path.startswith("/") else group
        for name in path.split("/"):
            if name in ("", "."):
                continue
            link = here.get(name, getlink=True) if self.is_group(here) else None
            if link is None:
                return None
            if isinstance(link, self._h5py.ExternalLink):
                raise self.error(
                    f"has a link to another file at {here.name}/{name}: such links are not followed"
                )
            if isinstance(link, self._h5py.SoftLink):
                if not links_left:
                    raise self.error(f"has links in circles at {here.name}/{name}")
                here = self._resolved(here, str(link.path), links_left - 1)
            else:
                here = here[name]
            if here is None:
                return None
        return here

    def is_group(self, thing: Any) -> bool:
        """Whether something that was found is a group."""
        return isinstance(thing, self._h5py.Group)

    def address(self, thing: Any) -> int:
        """Say where in the file something is: the same for all names of one thing."""
        with self.reading(thing.name):
            return int(self._h5py.h5o.get_info(thing.id).addr)

    def dataset(self, group: Any, path: str, kinds: str = "iuf") -> Any | None:
        """Find a dataset; None when it is not there.

        Parameters
        ----------
        group, path
            As in `child`.
        kinds
            Kinds of numpy dtypes that it may have.

        Raises
        ------
        ConfigError
            When it is something else, or its data are in another file.
        """
        found = self.child(group, path)
        if found is None:
            return None
        with self.reading(path):
            if not isinstance(found, self._h5py.Dataset) or found.dtype.kind not in kinds:
                raise self.error(
                    f"has something unexpected at {found.name}: it is damaged or of another kind"
                )
            if found.external or found.is_virtual:
                raise self.error(f"has its data of {found.name} in another file: such data are not read")
            if found.chunks and math.prod(found.chunks) * found.dtype.itemsize > _LARGEST_CHUNK:
                raise self.error(
                    f"has pieces of more than {_LARGEST_CHUNK} bytes in {found.name}: they are not read"
                )
        return found

    def numbers(self, dataset: Any, begin: int = 0, end: int | None = None) -> npt.NDArray[Any]:
        """Read a window of a dataset along its first axis; a scalar counts as one value."""
        with self.reading(dataset.name):
            rows = slice(begin, end).indices(len(dataset))[:2] if dataset.shape else (0, 1)
            if (rows[1] - rows[0]) * math.prod(dataset.shape[1:]) > MOST_VALUES:
                raise self.error(
                    f"has more than {MOST_VALUES} values in {dataset.name}: they do not fit into memory"
                )
            if dataset.shape == ():
                return np.asarray(dataset[()]).reshape(1)[begin:end]
            return np.asarray(dataset[begin:end])

    def texts(self, dataset: Any, most: int = _MOST_TEXT) -> list[str]:
        """Read all texts of a dataset, without the blanks and zeros that fill them up.

        Parameters
        ----------
        dataset
            Of two axes when it holds the characters of a text in a row.
        most
            Bytes that they may have together.
        """
        with self.reading(dataset.name):
            # References to texts of variable length take 16 bytes each.
            if dataset.size * dataset.dtype.itemsize > most:
                raise self.error(f"has texts of more than {most} bytes in {dataset.name}: they are not read")
            values = np.asarray(dataset[()])
            if (
                values.dtype.kind == "S"
                and values.dtype.itemsize == 1
                and values.ndim == 2
                and values.shape[1]
            ):
                values = np.ascontiguousarray(values).view(f"S{values.shape[1]}")
            texts = [_decoded(value) for value in values.reshape(-1)]
            if sum(map(len, texts)) > most:
                raise self.error(f"has texts of more than {most} bytes in {dataset.name}: they are not read")
        return texts

    def text(self, group: Any, path: str) -> str:
        """Read a text or a number as text; empty when it is not there."""
        dataset = self.dataset(group, path, "SOUiuf")
        if dataset is None or not dataset.size:
            return ""
        if dataset.dtype.kind in "iuf":
            return str(self.numbers(dataset, 0, 1).reshape(-1)[0])
        return self.texts(dataset, LONGEST_TEXT)[0]

    def attribute(self, thing: Any, name: str) -> str:
        """Read an attribute as text; empty when it is not there."""
        with self.reading(thing.name):
            values = np.asarray(thing.attrs.get(name, "")).reshape(-1)
            return _decoded(values[0]) if values.size else ""


def _decoded(value: object) -> str:
    """Make text of a value; bytes that are not UTF-8 are read as Latin-1, as in the stream."""
    if not isinstance(value, bytes):
        return str(value).rstrip(" \0")
    value = value.partition(b"\0")[0].rstrip(b" ")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
