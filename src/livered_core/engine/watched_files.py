"""What the code and the settings of a session are on disk, by the contents of their files.

Times of files are not believed: network file systems do not keep them exactly, and tell of no change that another
machine made. A file that is opened is fetched anew there, a folder or a status may not be.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from livered_core.config.xdg import xdg_folder
from livered_core.hooks.registry import PluginEntry, distribution_of, module_of, plain_name
from livered_core.hooks.reloading import plugin_packages

LARGEST: Final = 10_000_000
"""Bytes of a file that are looked at; of a larger one only how large it is."""
MOST_FILES: Final = 2_000
"""Files of a package that are looked at."""
_ENDINGS: Final = (".py", ".toml")
_METADATA: Final = ("METADATA", "entry_points.txt", "PKG-INFO")
_ABSENT: Final = (FileNotFoundError, NotADirectoryError)
_PART: Final = 1 << 20


@attrs.frozen
class WatchedFiles:
    """Where the files of a session are.

    Attributes
    ----------
    settings
        Configuration files, those that do not exist as well.
    packages
        Folders of plugins' packages, and files of single modules.
    distributions
        Site folder and normalised name of each plugin's distribution.
    """

    settings: tuple[Path, ...] = ()
    packages: tuple[Path, ...] = ()
    distributions: tuple[tuple[Path, str], ...] = ()


@attrs.frozen
class Snapshot:
    """What the files held at one time.

    Attributes
    ----------
    settings, code
        Path of each file to the SHA-256 of its content, or to a word on why there is none.
    """

    settings: Mapping[str, str] = attrs.field(factory=dict)
    code: Mapping[str, str] = attrs.field(factory=dict)

    def changed_from(self, before: Snapshot) -> tuple[str, ...]:
        """Name the files that are others than before, in order."""
        mine, theirs = {**self.settings, **self.code}, {**before.settings, **before.code}
        return tuple(sorted(path for path in {*mine, *theirs} if mine.get(path, "") != theirs.get(path, "")))


def watched_files(
    instrument: str,
    config_file: Path | None,
    environ: Mapping[str, str],
    plugins: Iterable[PluginEntry],
    etc: Path = Path("/etc/livered"),
) -> WatchedFiles:
    """Find the files of a session.

    Parameters
    ----------
    instrument
        Short name.
    config_file
        What was given with ``--config``.
    environ
        Environment variables, for the person's own configuration.
    plugins
        Those that are loaded.
    etc
        The machine's folder of configuration.
    """
    entries = list(plugins)
    folders = (etc, xdg_folder(environ, "XDG_CONFIG_HOME", ".config") / "livered")
    settings = [folder / f"{instrument}.toml" for folder in folders]
    if config_file is not None:
        settings.append(config_file.absolute())
    points = [entry.entry_point for entry in entries]
    return WatchedFiles(
        settings=tuple(settings),
        packages=tuple(package.path for package in plugin_packages(points)),
        distributions=tuple(
            {
                (Path(str(point.dist.locate_file(""))), plain_name(distribution_of(point)[0]))
                for point in points
                if point.dist is not None and not module_of(point).startswith("livered_core.")
            }
        ),
    )


def take_snapshot(files: WatchedFiles) -> Snapshot:
    """Read the files.

    Returns
    -------
    Snapshot
        Files that are not there are left out of `Snapshot.code`, and have an empty text in `Snapshot.settings`.

    Raises
    ------
    OSError
        When a file system does not answer as it should, so that nothing is known of a change.
    """
    code = {str(path): content_of(path) for path in _code_files(files)}
    return Snapshot(
        settings={str(path): content_of(path) for path in files.settings},
        code={path: content for path, content in code.items() if content},
    )


def content_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, hexadecimal; a word where it has none, empty where it is not there.

    Raises
    ------
    OSError
        When that cannot be known.
    """
    try:
        # What has the name may be anything: a pipe is not waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except _ABSENT:
        return ""
    except PermissionError:
        return "not readable"
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return "no file"
        if found.st_size > LARGEST:
            return f"{found.st_size} bytes"
        digest, left = hashlib.sha256(), LARGEST
        while left > 0 and (part := os.read(descriptor, min(_PART, left))):
            digest.update(part)
            left -= len(part)
        return digest.hexdigest()
    finally:
        os.close(descriptor)


def _code_files(files: WatchedFiles) -> Iterator[Path]:
    for path in files.packages:
        yield from _files_below(path)
    for site, name in files.distributions:
        try:
            with os.scandir(site) as entries:
                folders = [Path(entry.path) for entry in entries if _is_of(entry.name, name)]
        except (*_ABSENT, PermissionError):
            continue
        yield from (folder / part for folder in folders for part in _METADATA)


def _files_below(package: Path) -> list[Path]:
    """List what counts of a package; links to folders are not followed."""
    if package.suffix == ".py":
        return [package]
    found: list[Path] = []
    for folder, folders, names in os.walk(package, onerror=_raise_unless_absent):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        found += [Path(folder, name) for name in sorted(names) if name.endswith(_ENDINGS)]
        if len(found) > MOST_FILES:
            break
    return found[:MOST_FILES]


def _raise_unless_absent(error: OSError) -> None:
    if not isinstance(error, (*_ABSENT, PermissionError)):
        raise error


def _is_of(folder: str, name: str) -> bool:
    """Say whether a folder holds what is known of a distribution, of whatever version."""
    stem, _, kind = folder.rpartition(".")
    return kind in ("dist-info", "egg-info") and plain_name(stem.partition("-")[0]) == name


@attrs.define(eq=False)
class Settling:
    """Says when files have changed and stay so; belongs to one thread.

    Editors and network file systems write in pieces: a change is one that is seen twice the same.

    Parameters
    ----------
    known
        What is loaded.
    """

    known: Snapshot
    _seen: Snapshot | None = attrs.field(default=None, init=False)
    restless: int = attrs.field(default=0, init=False)
    """Looks in a row that saw something else than the one before."""

    def look(self, now: Snapshot) -> tuple[str, ...]:
        """Take up what the files hold now.

        Returns
        -------
        tuple of str
            The files that differ from those known, when they are as they were at the look before; else empty.
        """
        before, self._seen = self._seen, now
        if now == self.known:
            self.restless = 0
            return ()
        if now != before:
            self.restless += 1
            return ()
        self.restless = 0
        return now.changed_from(self.known)
