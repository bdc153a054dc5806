"""Plus, Minus, Multiply, Divide and what is made of them."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from mantid.api._algorithm import Algorithm
from mantid.api._data import HistogramData, MatrixData
from mantid.api._declared import output, value, workspace
from mantid.api._events import EventData
from mantid.api._manager import register


class _Binary(Algorithm):
    declared = (
        workspace("LHSWorkspace"),
        workspace("RHSWorkspace"),
        output(kind="matrix"),
        value("AllowDifferentNumberSpectra", False),
        value("ClearRHSWorkspace", False),
    )
    keeps_events = False

    def exec(self) -> None:
        left, right = self["LHSWorkspace"], self["RHSWorkspace"]
        in_place = self.in_place(left)
        scalar = right.id == "WorkspaceSingleValue" or (right.n == 1 and right.all_y().size == 1)
        if not scalar:
            _require_compatible(left, right)
        events = (
            isinstance(left, EventData) and (scalar or isinstance(right, EventData)) and self.keeps_events
        )
        events = events or (isinstance(left, EventData) and scalar and type(self) in (Multiply, Divide))
        made = self.of_events(left, right, in_place) if events else self._of_counts(left, right, in_place)
        made.y_unit = self.y_unit(left, right)
        self.operate_on_run(made, right)
        if left.masked or (not scalar and right.masked):
            made.masked = left.masked | (set() if scalar else right.masked)
        self["OutputWorkspace"] = made

    def _of_counts(self, left: MatrixData, right: MatrixData, in_place: bool) -> HistogramData:
        a = left if isinstance(left, HistogramData) else left.histogram()
        if a.ragged or (isinstance(right, HistogramData) and right.ragged):
            both = [
                self.combine(a.y_of(i), a.e_of(i), right.y_of(_row(right, i)), right.e_of(_row(right, i)))
                for i in range(a.n)
            ]
            y, e = [row[0] for row in both], [row[1] for row in both]
        else:
            y, e = self.combine(a.all_y(), a.all_e(), right.all_y(), right.all_e())
        if in_place and a is left:
            a.y, a.e = y, e
            return a
        made = HistogramData(a.x, y, e)
        made.described_as(left)
        made.same_spectra(left)
        made.distribution = a.distribution
        return made

    def of_events(self, left: EventData, right: MatrixData, in_place: bool) -> EventData:
        raise NotImplementedError

    def combine(self, y: Any, e: Any, other_y: Any, other_e: Any) -> tuple[Any, Any]:
        raise NotImplementedError

    def y_unit(self, left: MatrixData, right: MatrixData) -> str:
        return left.y_unit

    def operate_on_run(self, made: MatrixData, right: MatrixData) -> None:
        """Only Plus touches the logs."""


def _row(data: MatrixData, i: int) -> int:
    return i if data.n > 1 else 0


def _require_compatible(left: MatrixData, right: MatrixData) -> None:
    problem = ""
    if left.x_unit != right.x_unit:
        problem = "X units do not match"
    elif right.n not in (left.n, 1):
        problem = "Number of histograms not identical"
    elif not (isinstance(left, EventData) and isinstance(right, EventData)):
        for i in range(left.n):
            mine, theirs = left.x_of(i), right.x_of(_row(right, i))
            if len(mine) != len(theirs):
                problem = "The number of bins do not match"
            elif not np.allclose(mine, theirs):
                problem = "X arrays must match when adding, subtracting, multiplying or dividing"
            if problem or (isinstance(getattr(left, "edges", None), np.ndarray) and i == 0 and left is right):
                break
    if problem:
        message = f"The two workspaces are not compatible because {problem}"
        raise ValueError(message)


@register
class Plus(_Binary):
    """Add; events are appended, logs merged."""

    keeps_events = True

    def of_events(self, left: EventData, right: MatrixData, in_place: bool) -> EventData:
        if right.id == "WorkspaceSingleValue":
            return self._of_counts(left, right, in_place)  # type: ignore[return-value]
        made = left if in_place else left.clone()
        made.append(_spread(right, made.n))
        return made

    def combine(self, y: Any, e: Any, other_y: Any, other_e: Any) -> tuple[Any, Any]:
        return y + other_y, np.sqrt(e**2 + other_e**2)

    def operate_on_run(self, made: MatrixData, right: MatrixData) -> None:
        made.run.add(right.run)


def _spread(right: Any, n: int) -> Any:
    if right.n == n:
        return right.events
    copies = [attrs.evolve(right.events, spectrum=np.full(len(right.events), i)) for i in range(n)]
    from mantid.api._events import joined

    return joined(copies)


@register
class Minus(_Binary):
    """Subtract; events are appended with negative weights."""

    keeps_events = True

    def of_events(self, left: EventData, right: MatrixData, in_place: bool) -> EventData:
        if right.id == "WorkspaceSingleValue":
            return self._of_counts(left, right, in_place)  # type: ignore[return-value]
        made = left if in_place else left.clone()
        made.append(_spread(right, made.n).scaled(-1.0))
        return made

    def combine(self, y: Any, e: Any, other_y: Any, other_e: Any) -> tuple[Any, Any]:
        return y - other_y, np.sqrt(e**2 + other_e**2)


@register
class Multiply(_Binary):
    """Multiply, with errors."""

    def of_events(self, left: EventData, right: MatrixData, in_place: bool) -> EventData:
        made = left if in_place else left.clone()
        made.events = left.events.scaled(float(right.y_of(0)[0]), float(right.e_of(0)[0]))
        return made

    def combine(self, y: Any, e: Any, other_y: Any, other_e: Any) -> tuple[Any, Any]:
        return y * other_y, np.sqrt((e * other_y) ** 2 + (y * other_e) ** 2)


@register
class Divide(_Binary):
    """Divide, with errors; 0/0 is nan and 1/0 inf, as in Mantid."""

    declared = (*_Binary.declared, value("WarnOnZeroDivide", True))

    def of_events(self, left: EventData, right: MatrixData, in_place: bool) -> EventData:
        made = left if in_place else left.clone()
        by, error = float(right.y_of(0)[0]), float(right.e_of(0)[0])
        made.events = left.events.scaled(1.0 / by, error / by**2)
        return made

    def combine(self, y: Any, e: Any, other_y: Any, other_e: Any) -> tuple[Any, Any]:
        with np.errstate(divide="ignore", invalid="ignore"):
            quotient = y / other_y
            return quotient, np.sqrt(e**2 + (y * other_e / other_y) ** 2) / np.abs(other_y)

    def y_unit(self, left: MatrixData, right: MatrixData) -> str:
        return "" if right.y_unit == left.y_unit and right.id != "WorkspaceSingleValue" else left.y_unit


@register
class Scale(Algorithm):
    """Multiply by, or add, a number."""

    declared = (
        workspace("InputWorkspace"),
        output(kind="matrix"),
        value("Factor", 1.0),
        value("Operation", "Multiply", allowed=("Add", "Multiply")),
    )

    def exec(self) -> None:
        data, factor = self["InputWorkspace"], self["Factor"]
        made = data if self.in_place(data) else data.clone()
        multiplies = self["Operation"] == "Multiply"
        if isinstance(made, EventData) and multiplies:
            made.events = made.events.scaled(factor)
        else:
            if isinstance(made, EventData):
                made = made.histogram()
            y, e = made.all_y(), made.all_e()
            made.y, made.e = (y * factor, e * abs(factor)) if multiplies else (y + factor, e)
        self["OutputWorkspace"] = made


@register
class NormaliseByCurrent(Algorithm):
    """Divide by the proton charge of the run, microampere hours."""

    declared = (
        workspace("InputWorkspace"),
        output(kind="matrix"),
        value("RecalculatePCharge", False),
    )

    def exec(self) -> None:
        from mantid.api._run import PROTON_CHARGE, Run

        data = self["InputWorkspace"]
        run = Run(lambda: data.run)
        if self["RecalculatePCharge"]:
            run.integrateProtonCharge()
        charge = run.getProtonCharge()
        if charge == 0.0:
            message = "The proton charge is zero"
            raise RuntimeError(message)
        made = data if self.in_place(data) else data.clone()
        if isinstance(made, EventData):
            made.events = made.events.scaled(1.0 / charge)
        else:
            made.y, made.e = made.all_y() / charge, made.all_e() / charge
        made.run.set("NormalizationFactor", charge)
        assert PROTON_CHARGE in made.run.properties
        made.y_unit = "Counts per microAmp.hour"
        self["OutputWorkspace"] = made
