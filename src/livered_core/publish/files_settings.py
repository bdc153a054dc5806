"""What ``[plugins.files]`` may hold, and whether files could be written where it says."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Literal, get_args

import attrs

from livered_core.config.metadata import about
from livered_core.config.validators import at_least
from livered_core.model import RunInfo
from livered_core.publish import templates

Format = Literal["nexus", "text", "html", "mantid"]
"""``nexus``: one HDF5 file for a result. ``text``: one file of columns for each curve. ``html``: one report.
``mantid``: one file that Mantid loads."""


def _are_formats(
    _settings: FilesSettings, _attribute: attrs.Attribute[Any], formats: tuple[str, ...]
) -> None:
    known = get_args(Format)
    wrong = [name for name in formats if name not in known]
    if wrong or not formats or len(set(formats)) != len(formats):
        message = f"must name each of {', '.join(known)} at most once, and one of them, not {list(formats)}"
        raise ValueError(message)


def _is_folder(_settings: FilesSettings, _attribute: attrs.Attribute[Any], folder: Path | None) -> None:
    problem = templates.field_problem(str(folder or ""))
    if problem:
        raise ValueError(problem)


def _is_name(settings: FilesSettings, _attribute: attrs.Attribute[Any], name: str) -> None:
    problem = templates.name_problem(name)
    if not problem and "run" not in templates.fields_in(f"{settings.directory}/{name}"):
        problem = "must have {run} in it, or directory must: each run would be written over the one before"
    if problem:
        raise ValueError(problem)


@attrs.frozen
class FilesSettings:
    """What ``[plugins.files]`` may hold.

    Attributes
    ----------
    formats
        Kinds of files to write.
    directory
        Folder for the files, created when needed; None for the session's output folder. May hold fields, see
        `livered_core.publish.templates`.
    name
        What the names of the files begin with, with fields.
    every
        Seconds after which the files of a run are written anew while it goes on, each over the one before;
        0 for final results only.
    """

    formats: tuple[Format, ...] = attrs.field(
        default=("nexus", "text", "html"),
        converter=tuple,
        validator=_are_formats,
        metadata=about("kinds of files to write: nexus, text, html, mantid"),
    )
    directory: Path | None = attrs.field(
        default=None,
        validator=_is_folder,
        metadata=about(
            "folder for the files, output_dir where it is not given; {instrument}, {run} and {proposal} may stand in it"
        ),
    )
    name: str = attrs.field(
        default="{instrument}_{run}",
        validator=_is_name,
        metadata=about(
            "what the names of the files begin with; {instrument}, {run} and {proposal} may stand in it"
        ),
    )
    every: float = attrs.field(
        default=0.0,
        validator=at_least(0),
        metadata=about(
            "also write the files while a run goes on, this often; 0 writes final results only", "s"
        ),
    )

    def path(self, run: RunInfo, folder: Path) -> Path:
        """Return folder and beginning of the name of a run's files; `folder` counts where none is set."""
        standing_for = templates.values(run)
        if self.directory is not None:
            folder = Path(templates.fill(str(self.directory), standing_for))
        return folder / templates.fill(self.name, standing_for)

    def could_write(self, path: Path, instrument: str, folder: Path) -> bool:
        """Tell whether a file has the name and the place of one that could be written for some run."""
        there = self.directory or folder
        fixed = templates.fixed_folder(there)
        template = str(fixed.resolve() / there.relative_to(fixed) / self.name)
        expected = templates.matcher(template, instrument).pattern + r"(\.h5|\.html|_mantid\.nxs|_\w+\.dat)"
        return re.fullmatch(expected, str(path.resolve())) is not None


def folder_problem(folder: Path) -> str | None:
    """Say in a sentence why files could not be written to a folder; nothing is created.

    Parameters
    ----------
    folder
        Need not exist: then the nearest folder above it must let one be created. Where it has fields, the folders
        above the first of them are looked at; those may be there already for what the fields will stand for.

    Returns
    -------
    str or None
        None when it looks well; the disk may still be full.
    """
    fixed = templates.fixed_folder(folder)
    existing = fixed.absolute()
    try:
        while not existing.exists() and existing != existing.parent:
            existing = existing.parent
        if not existing.is_dir():
            return f"Files cannot be written to {folder}: {existing} is not a folder; name another one."
    except OSError as error:
        return f"Files cannot be written to {folder} ({error.strerror}): open it, or name another folder."
    if fixed != folder and existing == fixed.absolute():
        return None
    effective = os.access in os.supports_effective_ids
    if not os.access(existing, os.W_OK | os.X_OK, effective_ids=effective):
        return f"Files cannot be written to {folder}: {existing} does not let you write; open it, or name another folder."
    return None
