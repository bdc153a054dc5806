"""Curves as columns of text, and text from the stream made safe for a name.

Layout of a file: a header of lines that begin with ``#``, each ``# key: value``; then one line per bin or point,
``x y e`` separated by a blank, where ``x`` is the middle of the bin. Three columns, since that is what every program
reads: Mantid's LoadAscii would take a fourth for the resolution. The edges of bins are in the NeXus file. Numbers are
the shortest decimals that read back as the same float64; ``nan`` and ``inf`` are written so. Encoding UTF-8, lines end
with a line feed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping

from livered_core.model import Curve, Result, RunInfo, Update, format_utc
from livered_core.model.text import one_line

__all__ = ["LONGEST_NAME", "column_text", "header_lines", "one_line", "slug", "unique_slugs"]

LONGEST_NAME = 80
"""Most characters of a name made by `slug`."""


def slug(text: str, *, otherwise: str = "unnamed") -> str:
    """Make a name for files and HDF5 groups: ASCII letters, digits and single underscores.

    Parameters
    ----------
    text
        Text from anywhere, for example ``bank 2 - 31 deg``, which becomes ``bank_2_31_deg``.
    otherwise
        The name where nothing of `text` can be kept.

    Returns
    -------
    str
        1 to `LONGEST_NAME` characters; never begins or ends with an underscore, holds no dot and no slash.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[:LONGEST_NAME].rstrip("_")
    return name or otherwise


def unique_slugs(
    labels: Iterable[str], *, reserved: Collection[str] = (), otherwise: str = "unnamed"
) -> list[str]:
    """Make a different name for each label, differing in more than capitals.

    Parameters
    ----------
    labels
        Texts from anywhere.
    reserved
        Names that are taken already.
    otherwise
        As in `slug`.

    Returns
    -------
    list of str
        One name for each label, in order; the second of two equal ones ends in ``_2``.
    """
    taken = {name.lower() for name in reserved}
    names = []
    for label in labels:
        base = name = slug(label, otherwise=otherwise)
        count = 1
        while name.lower() in taken:
            count += 1
            name = f"{base}_{count}"
        taken.add(name.lower())
        names.append(name)
    return names


def header_lines(
    result: Result, run: RunInfo, update: Update, versions: Mapping[str, str], written_ns: int
) -> list[str]:
    """Say what the curves of a result belong to and rest on, one ``key: value`` in each line.

    Parameters
    ----------
    result, run, update
        What is described.
    versions
        Name to version of livered and the plugins.
    written_ns
        Time of writing, nanoseconds UTC since the Unix epoch.

    Returns
    -------
    list of str
        Lines without ``#`` and without line breaks, whatever the titles hold.
    """
    facts: list[tuple[str, object]] = [
        ("instrument", run.instrument),
        ("run", run.number),
        ("run title", run.title),
        ("proposal", run.proposal),
        ("result", result.title),
        ("run start", format_utc(run.start_ns) if run.start_ns else "not known"),
        ("update", update.sequence),
        ("final", _yes_no(update.final)),
        ("complete", _yes_no(update.complete)),
        *(("missing", reason) for reason in update.missing),
        ("proton charge", f"{update.proton_charge_pc!r} pC"),
        ("pulses", update.n_pulses),
        ("events", update.n_events),
        ("chunks", update.n_chunks),
        ("skipped chunks", update.skipped_chunks),
        ("skipped events", update.skipped_events),
        ("dropped chunks", update.dropped_chunks),
        ("dropped events", update.dropped_events),
        ("first pulse", format_utc(update.first_pulse_ns) if update.first_pulse_ns else "none"),
        ("last pulse", format_utc(update.last_pulse_ns) if update.last_pulse_ns else "none"),
        *((f"sample {key}", value) for key, value in run.sample.items()),
        *((f"result {key}", value) for key, value in result.metadata.items()),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
        ("written", format_utc(written_ns)),
    ]
    return [one_line(f"{key}: {value}") for key, value in facts]


def column_text(curve: Curve, header: Iterable[str]) -> bytes:
    """Write one curve as columns of text.

    Parameters
    ----------
    curve
        With bin edges ``x`` is the middle of each bin.
    header
        Lines of `header_lines`, put in front.

    Returns
    -------
    bytes
        The file's content; `numpy.loadtxt` reads it.
    """
    middle = ""
    if curve.is_histogram and len(curve.x) > 1:
        middle = f", middle of each of {len(curve.y)} bins from {curve.x[0]:.15g} to {curve.x[-1]:.15g}"
    about = [
        f"curve: {curve.label}",
        *(f"curve {key}: {value}" for key, value in curve.metadata.items()),
        f"x: {curve.x_name or 'x'} in {curve.x_unit}{middle}",
        f"y: {curve.y_name or 'y'} in {curve.y_unit}",
        f"e: standard deviation of y in {curve.y_unit}",
        "columns: x y e",
    ]
    columns = (curve.x_centres.tolist(), curve.y.tolist(), curve.e.tolist())
    lines = [f"# {one_line(line)}" for line in (*header, *about)]
    lines += [" ".join(map(repr, row)) for row in zip(*columns, strict=True)]
    return ("\n".join(lines) + "\n").encode()


def _yes_no(answer: bool) -> str:
    return "yes" if answer else "no"
