"""A total structure factor from a text file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final, NoReturn

import numpy as np

from livered_core.errors import ConfigError
from livered_core.simulator.materials import species_of
from livered_core.simulator.structure_factor import PointTable
from livered_core.simulator.total_structure import TotalStructure, levels, lowest_structure_factor

_ROUNDING: Final = 1e-3
"""How far S(Q) may lie below its lower limit: computed curves are rounded, and oscillate a little around it."""
_HIGHEST_S: Final = 1e6
"""More is no S(Q): a peak is as high as a crystallite has atoms in a column, about."""
_MUST_REACH: Final = (2.0, 10.0)
"""What S(Q) has to cover, inverse Angstrom: what lies beyond is made up, and events would be drawn from it."""
_MOST_BYTES: Final = 16 * 1024 * 1024


def read_total_structure(path: Path, composition: str) -> TotalStructure:
    """Read S(Q) of a composition.

    Parameters
    ----------
    path
        Text in two columns: Q in inverse Angstrom, ascending, and S(Q) in the definition of Faber and Ziman, which
        tends to 1. What follows ``#`` is a comment. Below the first Q, which is 2 at most, its S holds; above the
        last one, which is 10 at least, S = 1.
    composition
        Chemical formula, as `livered_core.simulator.materials.species_of` reads it.

    Returns
    -------
    TotalStructure
        Named after the composition; number density and neighbours are not known.

    Raises
    ------
    ConfigError
        When the file cannot be read, is something else, or says that less than nothing is scattered, or when the
        composition is unknown.
    BackendUnavailable
        When neither NCrystal nor periodictable is installed.
    """
    species = species_of(composition)
    lowest = lowest_structure_factor(species, f"simulate.composition: {composition!r}")
    coherent_sr, self_sr = levels(species)
    table = _read(path, lowest, composition)
    return TotalStructure(composition, composition, coherent_sr, self_sr, table)


def _read(path: Path, lowest: float, composition: str) -> PointTable:
    q_column: list[float] = []
    s_column: list[float] = []
    for number, line in enumerate(_lines(path), 1):
        fields = line.partition("#")[0].split()
        if not fields:
            continue
        q, s = _two_numbers(fields, path, number)
        if q < 0.0 or (q_column and q <= q_column[-1]):
            before = f"{q_column[-1]:g} before it" if q_column else "0"
            _refuse(path, number, f"Q = {q:g} is not above {before}; sort the lines by Q, each Q once")
        if s > _HIGHEST_S:
            _refuse(path, number, f"S({q:g}) = {s:g} is too high for an S(Q), which tends to 1; correct it")
        if s < lowest - _ROUNDING:
            _refuse(
                path,
                number,
                f"S({q:g}) = {s:g}, and {composition} cannot scatter less than S = {lowest:.3g}; correct S(Q) or "
                "simulate.composition",
            )
        q_column.append(q)
        s_column.append(s)
    if len(q_column) < 2:
        message = (
            f"simulate.s_of_q: {path} has {len(q_column)} points; give two columns of text, Q and S(Q), with two "
            "points or more."
        )
        raise ConfigError(message)
    first, last = _MUST_REACH
    if q_column[0] > first or q_column[-1] < last:
        message = (
            f"simulate.s_of_q: {path} says S(Q) from Q = {q_column[0]:g} to {q_column[-1]:g}, and it has to be known "
            f"from {first:g} or less to {last:g} or more (1/Angstrom); give more of it."
        )
        raise ConfigError(message)
    return PointTable(np.array(q_column), np.array(s_column))


def _lines(path: Path) -> list[str]:
    try:
        if path.exists() and not path.is_file():
            message = f"simulate.s_of_q: {path} is not a file; correct the path."
            raise ConfigError(message)
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        message = f"simulate.s_of_q: {path} cannot be read ({error.strerror}); correct the path."
        raise ConfigError(message) from error
    if len(content) > _MOST_BYTES:
        message = (
            f"simulate.s_of_q: {path} has more than {_MOST_BYTES >> 20} MiB, which is no table of S(Q); give two "
            "columns of text, Q and S(Q)."
        )
        raise ConfigError(message)
    try:
        return content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        message = f"simulate.s_of_q: {path} is not UTF-8 text; give two columns of text, Q and S(Q)."
        raise ConfigError(message) from error


def _two_numbers(fields: list[str], path: Path, number: int) -> tuple[float, float]:
    try:
        q, s = (float(field) for field in fields)
    except ValueError:
        _refuse(path, number, f"{' '.join(fields)[:40]!r} is not two numbers; write Q and S(Q) in each line")
    if not (math.isfinite(q) and math.isfinite(s)):
        _refuse(path, number, f"{' '.join(fields)[:40]!r} is not finite; leave such points out")
    return q, s


def _refuse(path: Path, number: int, what: str) -> NoReturn:
    message = f"simulate.s_of_q: {path}, line {number}: {what}."
    raise ConfigError(message)
