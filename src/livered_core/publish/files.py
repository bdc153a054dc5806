"""The sink ``files``: results as NeXus files and as columns of text."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import attrs

from livered_core.atomic import write_atomically
from livered_core.clocks import Clock, SystemClock
from livered_core.errors import SinkRejected, SinkUnavailable
from livered_core.hooks.markers import hookimpl
from livered_core.model import Receipt, Result, RunInfo, SessionInfo, Update
from livered_core.publish.text import column_text, header_lines, slug, unique_slugs

Format = Literal["nexus", "text"]
"""``nexus``: one HDF5 file for a result. ``text``: one file of columns for each curve."""

NEEDS_H5PY = (
    "NeXus files need h5py, which is not installed: pip install 'livered-core[native]', "
    'or set formats = ["text"] in [plugins.files].'
)


def _are_formats(
    _settings: FilesSettings, _attribute: attrs.Attribute[Any], formats: tuple[str, ...]
) -> None:
    known = get_args(Format)
    wrong = [name for name in formats if name not in known]
    if wrong or not formats or len(set(formats)) != len(formats):
        message = f"formats must name each of {' and '.join(known)} at most once and is {list(formats)}."
        raise ValueError(message)


@attrs.frozen
class FilesSettings:
    """What ``[plugins.files]`` may hold.

    Attributes
    ----------
    formats
        Kinds of files to write.
    directory
        Folder for the files, created when needed; None for the session's output folder.
    every_update
        Also write results that are not final, each over the one before.
    """

    formats: tuple[Format, ...] = attrs.field(
        default=("nexus", "text"),
        converter=tuple,
        validator=_are_formats,
        metadata={"help": "Kinds of files to write: nexus, text.", "unit": ""},
    )
    directory: Path | None = attrs.field(
        default=None,
        metadata={"help": "Folder for the files; output_dir where it is not given.", "unit": ""},
    )
    every_update: bool = attrs.field(
        default=False,
        metadata={"help": "Also write results that are not final.", "unit": ""},
    )


@attrs.define(eq=False)
class FilesPlugin:
    """Write results to files, each whole or not at all.

    ``{instrument}_{run}.h5`` is the NeXus file (see `livered_core.publish.nexus`),
    ``{instrument}_{run}_{label}.dat`` the columns of one curve (see `livered_core.publish.text`).

    Attributes
    ----------
    settings
        What to write and where.
    clock
        Gives the time of writing.
    """

    settings_class: ClassVar[type[FilesSettings]] = FilesSettings
    data_models: ClassVar[tuple[str, ...]] = ("native", "mantid")

    settings: FilesSettings = attrs.field(factory=FilesSettings)
    clock: Clock = attrs.field(factory=SystemClock)
    _session: SessionInfo | None = attrs.field(default=None, init=False)

    @hookimpl
    def session_started(self, session: SessionInfo) -> None:
        """Learn the output folder and the versions."""
        self._session = session

    @hookimpl
    def post_publish(self, result: Result, run: RunInfo, update: Update) -> Receipt | None:
        """Write the files of a final result, or of every result where that is configured.

        Returns
        -------
        Receipt or None
            The folder, or the file if it is a single one, and the bytes written; None when nothing was due.

        Raises
        ------
        SinkUnavailable
            When a file cannot be written: folder, rights or a full disk. Files that were there are untouched.
        SinkRejected
            When h5py is missing (text files are written all the same) or there is no folder to write to.
        """
        if not (update.final or self.settings.every_update):
            return None
        folder = self._folder()
        written: dict[Path, int] = {}
        h5py_missing = False
        try:
            for name, data in self._contents(result, run, update):
                if data is None:
                    h5py_missing = True
                    continue
                write_atomically(folder / name, data)
                written[folder / name] = len(data)
        except OSError as error:
            message = (
                f"The curves of run {run.number} cannot be written to {folder} "
                f"({error.strerror or error}): free or open that folder, or set directory in [plugins.files]."
            )
            raise SinkUnavailable(message) from error
        if h5py_missing:
            raise SinkRejected(NEEDS_H5PY)
        if not written:
            return None
        where = next(iter(written)) if len(written) == 1 else folder
        return Receipt(where=str(where), when_ns=self.clock.now_ns(), size=sum(written.values()))

    def check(self) -> list[str]:
        """Say in sentences what would keep this sink from writing; nothing is created.

        The session's output folder is not known here: see `folder_problem`.
        """
        problems = []
        if "nexus" in self.settings.formats and importlib.util.find_spec("h5py") is None:
            problems.append(NEEDS_H5PY)
        if self.settings.directory is not None:
            problem = folder_problem(self.settings.directory)
            if problem is not None:
                problems.append(problem)
        return problems

    def _folder(self) -> Path:
        if self.settings.directory is not None:
            return self.settings.directory
        if self._session is not None and self._session.output_dir:
            return Path(self._session.output_dir)
        message = "There is no folder to write files to: set output_dir, or directory in [plugins.files]."
        raise SinkRejected(message)

    def _contents(self, result: Result, run: RunInfo, update: Update) -> Iterator[tuple[str, bytes | None]]:
        """Name and content of each file, text first; content is None where h5py is missing."""
        stem = f"{slug(run.instrument, otherwise='instrument')}_{run.number}"
        versions = self._versions()
        now_ns = self.clock.now_ns()
        if "text" in self.settings.formats:
            header = header_lines(result, run, update, versions, now_ns)
            labels = unique_slugs((curve.label for curve in result.curves), otherwise="curve")
            for label, curve in zip(labels, result.curves, strict=True):
                yield f"{stem}_{label}.dat", column_text(curve, header)
        if "nexus" in self.settings.formats:
            yield f"{stem}.h5", _nexus_or_none(result, run, update, versions, now_ns)

    def _versions(self) -> Mapping[str, str]:
        if self._session is None:
            return {"livered-core": version("livered-core")}
        return {"livered-core": self._session.livered_version, **self._session.plugins}


def folder_problem(folder: Path) -> str | None:
    """Say in a sentence why files could not be written to a folder; nothing is created.

    Parameters
    ----------
    folder
        Need not exist: then the nearest folder above it must let one be created.

    Returns
    -------
    str or None
        None when it looks well; the disk may still be full.
    """
    existing = folder.absolute()
    try:
        while not existing.exists() and existing != existing.parent:
            existing = existing.parent
        if not existing.is_dir():
            return f"Files cannot be written to {folder}: {existing} is not a folder; name another one."
    except OSError as error:
        return f"Files cannot be written to {folder} ({error.strerror}): open it, or name another folder."
    effective = os.access in os.supports_effective_ids
    if not os.access(existing, os.W_OK | os.X_OK, effective_ids=effective):
        return f"Files cannot be written to {folder}: {existing} does not let you write; open it, or name another folder."
    return None


def _nexus_or_none(
    result: Result, run: RunInfo, update: Update, versions: Mapping[str, str], now_ns: int
) -> bytes | None:
    """Make the NeXus file; None where h5py is not installed."""
    if importlib.util.find_spec("h5py") is None:
        return None
    from livered_core.publish.nexus import nexus_bytes

    return nexus_bytes(result, run, update, versions, now_ns)
