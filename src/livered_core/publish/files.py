"""The sink ``files``: results as NeXus files, columns of text, reports for the browser, and files for Mantid."""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import logging
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar, Final

import attrs
import numpy as np

from livered_core.atomic import atomic_set, remove_leftovers
from livered_core.clocks import Clock, SystemClock
from livered_core.errors import SinkRejected, SinkUnavailable
from livered_core.hooks.markers import hookimpl
from livered_core.model import Curve, Image, Receipt, Result, RunInfo, SessionInfo, Update
from livered_core.publish.disk_space import free_bytes
from livered_core.publish.files_settings import FilesSettings, folder_problem
from livered_core.publish.text import column_text, header_lines, unique_slugs

_log = logging.getLogger(__name__)

NEEDS_H5PY: Final = (
    "NeXus files need h5py, which is not installed: pip install 'livered-core[native]', "
    'or set formats = ["text", "html"] in [plugins.files].'
)
MANTID_ENDING: Final = "_mantid.nxs"
_LEFT_OVER_NS: Final = 3_600_000_000_000
"""Age of a temporary file that nobody is writing any more: an hour."""
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CLOSED: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


@attrs.frozen
class _Written:
    """What was written last: of which run, when (monotonic seconds), of what, and the files."""

    run_number: int
    at_s: float
    content: bytes
    files: frozenset[Path]


@attrs.define(eq=False)
class FilesPlugin:
    """Write results to files, all of them or none.

    With ``name`` as it is, ``{instrument}_{run}.h5`` is the NeXus file (see `livered_core.publish.nexus`),
    ``{instrument}_{run}_{label}.dat`` the columns of one curve (see `livered_core.publish.text`),
    ``{instrument}_{run}.html`` the report (see `livered_core.publish.report`), and ``{instrument}_{run}_mantid.nxs``
    the file for Mantid (see `livered_core.publish.mantid_file`).

    Attributes
    ----------
    settings
        What to write, where, and how often.
    clock
        Gives the time of writing, and what ``every`` is measured with.
    """

    settings_class: ClassVar[type[FilesSettings]] = FilesSettings
    data_models: ClassVar[tuple[str, ...]] = ("native", "mantid")

    settings: FilesSettings = attrs.field(factory=FilesSettings)
    clock: Clock = attrs.field(factory=SystemClock)
    _session: SessionInfo | None = attrs.field(default=None, init=False)
    _last: _Written | None = attrs.field(default=None, init=False)
    _swept: Path | None = attrs.field(default=None, init=False)
    _told: bool = attrs.field(default=False, init=False)

    @hookimpl
    def session_started(self, session: SessionInfo) -> None:
        """Learn the output folder and the versions."""
        self._session = session

    @hookimpl
    def post_publish(self, result: Result, run: RunInfo, update: Update) -> Receipt | None:
        """Write the files of a final result; of another one where that is configured, due and something new.

        Files that an earlier result of the same run had, and this one has not, are removed. While the disk has less
        room than should stay free, only final results are written.

        Returns
        -------
        Receipt or None
            The folder, or the file if it is a single one, the bytes written and all paths; None when nothing was due.

        Raises
        ------
        SinkUnavailable
            When a file cannot be written: folder, rights or a full disk. Files that were there are untouched.
        SinkRejected
            When there is nothing but files that need h5py, and it is missing, or there is no folder to write to.
        """
        if not (update.final or self.settings.every):
            return None
        content = _fingerprint(result)
        if not (update.final or self._is_due(run, content)):
            return None
        path = self.settings.path(run, self._output_folder())
        folder = path.parent
        sizes: dict[Path, int] = {}
        h5py_missing = False
        try:
            if not update.final and self._is_short_of_room(folder):
                return None
            self._sweep(folder)
            with atomic_set() as write:
                # One after the other: only one of them is in memory.
                for ending, data in self._contents(path.name, result, run, update):
                    if data is None:
                        h5py_missing = True
                        continue
                    file = folder / f"{path.name}{ending}"
                    write(file, data)
                    sizes[file] = len(data)
        except OSError as error:
            message = f"The curves of run {run.number} cannot be written to {folder} {_why(error)} in [plugins.files]."
            raise SinkUnavailable(message) from error
        self._remember(_Written(run.number, self.clock.monotonic(), content, frozenset(sizes)))
        if h5py_missing and not sizes:
            raise SinkRejected(NEEDS_H5PY)
        if h5py_missing and not self._told:
            # Not refused: the result would wait for h5py on disk, and with it one of each run to come.
            self._told = True
            _log.warning("%s The other files are written.", NEEDS_H5PY)
        if not sizes:
            return None
        files = tuple(map(str, sizes))
        where = files[0] if len(files) == 1 else str(folder)
        return Receipt(where=where, when_ns=self.clock.now_ns(), size=sum(sizes.values()), files=files)

    def check(self) -> list[str]:
        """Say in sentences what would keep this sink from writing; nothing is created.

        The session's output folder is not known here: see `folder_problem`.
        """
        problems = []
        if {"nexus", "mantid"} & set(self.settings.formats) and not _has_h5py():
            problems.append(NEEDS_H5PY)
        if self.settings.directory is not None:
            problem = folder_problem(self.settings.directory)
            if problem is not None:
                problems.append(problem)
        return problems

    def _is_due(self, run: RunInfo, content: bytes) -> bool:
        last = self._last
        if last is None or last.run_number != run.number:
            return True
        return last.content != content and self.clock.monotonic() - last.at_s >= self.settings.every

    def _is_short_of_room(self, folder: Path) -> bool:
        least = 0 if self._session is None else self._session.disk_free
        return least > 0 and free_bytes(folder) < least

    def _output_folder(self) -> Path:
        if self._session is not None and self._session.output_dir:
            return Path(self._session.output_dir)
        if self.settings.directory is not None:
            return self.settings.directory
        message = "There is no folder to write files to: set output_dir, or directory in [plugins.files]."
        raise SinkRejected(message)

    def _contents(
        self, name: str, result: Result, run: RunInfo, update: Update
    ) -> Iterator[tuple[str, bytes | None]]:
        """Make ending and content of each file, one after the other; None where h5py is missing."""
        versions = self._versions()
        now_ns = self.clock.now_ns()
        labels = unique_slugs((curve.label for curve in result.curves), otherwise="curve")
        beside: list[str] = []
        if "text" in self.settings.formats:
            header = header_lines(result, run, update, versions, now_ns)
            for label, curve in zip(labels, result.curves, strict=True):
                beside.append(f"{name}_{label}.dat")
                yield f"_{label}.dat", column_text(curve, header)
        if "nexus" in self.settings.formats:
            beside.insert(0, f"{name}.h5")
            yield ".h5", _nexus_or_none(result, run, update, versions, now_ns)
        if "mantid" in self.settings.formats:
            if not _has_h5py():
                yield MANTID_ENDING, None
            else:
                from livered_core.publish.mantid_file import mantid_bytes

                data = mantid_bytes(result, run, update, versions, now_ns)
                if data is not None:
                    beside.append(f"{name}{MANTID_ENDING}")
                    yield MANTID_ENDING, data
        if "html" in self.settings.formats:
            from livered_core.publish.report import report_html

            yield ".html", report_html(result, run, update, versions, now_ns, beside)

    def _versions(self) -> Mapping[str, str]:
        if self._session is None:
            return {"livered-core": version("livered-core")}
        return {"livered-core": self._session.livered_version, **self._session.plugins}

    def _sweep(self, folder: Path) -> None:
        """Remove what a killed process left in a folder, once for each that is written to."""
        if folder == self._swept:
            return
        removed = remove_leftovers(folder, self.clock.now_ns() - _LEFT_OVER_NS)
        if removed:
            _log.info(
                "%d temporary files of a process that was killed were removed from %s.", removed, folder
            )
        self._swept = folder

    def _remember(self, written: _Written) -> None:
        """Keep what was written, and remove what only the result before it had."""
        if self._last is not None and self._last.run_number == written.run_number:
            for old in sorted(self._last.files - written.files):
                try:
                    old.unlink(missing_ok=True)
                except OSError as error:
                    _log.warning(
                        "%s is of an earlier result of run %d and cannot be removed (%s): remove it.",
                        old,
                        written.run_number,
                        error.strerror,
                    )
        self._last = written


def _why(error: OSError) -> str:
    """Say why nothing could be written and what helps, up to the place of the setting."""
    remedy = "mend that folder, or set another directory"
    if error.errno in _FULL:
        remedy = "make room there, or set another directory"
    elif error.errno in _CLOSED:
        remedy = "let livered write there, or set another directory"
    return f"({error.strerror or error}): {remedy}"


def _fingerprint(result: Result) -> bytes:
    """Return what is the same for two results that show the same."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(_told(result.title) + _told(result.metadata))
    shown: tuple[Curve | Image, ...] = (*result.curves, *result.images)
    for item in shown:
        for value in attrs.asdict(item, recurse=False).values():
            digest.update(value.tobytes() if isinstance(value, np.ndarray) else _told(value))
    return digest.digest()


def _told(value: object) -> bytes:
    return repr(sorted(value.items()) if isinstance(value, Mapping) else value).encode(
        errors="backslashreplace"
    )


def _has_h5py() -> bool:
    return importlib.util.find_spec("h5py") is not None


def _nexus_or_none(
    result: Result, run: RunInfo, update: Update, versions: Mapping[str, str], now_ns: int
) -> bytes | None:
    """Make the NeXus file; None where h5py is not installed."""
    if not _has_h5py():
        return None
    from livered_core.publish.nexus import nexus_bytes

    return nexus_bytes(result, run, update, versions, now_ns)
