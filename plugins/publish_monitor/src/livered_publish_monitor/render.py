"""A result as one ``<div>`` that the facility's monitor puts into its page.

What the monitor needs (neutrons/data_workflow): no plotly.js within, for it loads its own; the attribute
``plotlyjs-version`` on ``div.plotly-graph-div``, by which it chooses that; arrays as plain lists; everything
that comes from the beamline escaped, for the text is put into the page as it is. Styles stand in attributes, so
that they touch nothing else on that page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt

from livered_core import Curve, PluginError, Result, RunInfo, Update
from livered_core.model import format_utc
from livered_publish_monitor.page_text import charge, duration, for_html, for_plotly, plain
from livered_publish_monitor.thinning import thin

if TYPE_CHECKING:
    import plotly.graph_objects as go

PLOTLYJS_VERSION = "3.0.1"
"""The plotly.js for which pages are made, whatever the installed plotly brings: the newest that the monitor has."""

MOST_NOTES = 40
"""Most lines of metadata that are shown."""

_PANEL_HEIGHT = 420
_GRAPH_CLASS = 'class="plotly-graph-div"'


@attrs.frozen
class Page:
    """How a page is made.

    Attributes
    ----------
    max_points
        Most points of a curve.
    curves
        Labels of the curves to show; empty for all.
    versions
        Name to version of livered and its plugins.
    """

    max_points: int
    curves: tuple[str, ...]
    versions: Mapping[str, str]


def render_div(result: Result, run: RunInfo, update: Update, page: Page, now_ns: int) -> str:
    """Render a result.

    Curves with the same quantities and units share a panel; panels stand one below the other.

    Parameters
    ----------
    result, run, update
        What is shown.
    page
        How.
    now_ns
        Wall time, from which the age of the data is counted, nanoseconds UTC since the Unix epoch.

    Returns
    -------
    str
        Begins with ``<div``; encodable as UTF-8.

    Raises
    ------
    PluginError
        When the installed plotly writes its pages in a form that this plugin does not know.
    """
    curves = [curve for curve in result.curves if not page.curves or curve.label in page.curves]
    heading = (
        f"{for_html(run.instrument)} run {run.number}: {for_html(run.title or result.title)} "
        f"({'final' if update.final else f'live, update {update.sequence}'})"
    )
    parts = [
        f'<div class="livered" data-run="{run.number}" data-update="{update.sequence}" '
        f'data-final="{str(update.final).lower()}" data-complete="{str(update.complete).lower()}" '
        'style="font-family: sans-serif">',
        f'<div style="font-weight: bold; padding: 4px 0">{heading}</div>',
        _warning(update),
        _graph(curves, run, page) if curves else "<p>This result has no curve to show here.</p>",
        _footer(result, run, update, page, now_ns),
        "</div>",
    ]
    return "\n".join(part for part in parts if part)


def _warning(update: Update) -> str:
    """Say what is missing, above the curves: nobody may take incomplete data for complete ones."""
    if update.complete:
        return ""
    reasons = " ".join(for_html(reason) for reason in update.missing) or "The reason is not known."
    return (
        '<div role="alert" style="background: #fff3cd; color: #4d3800; border: 1px solid #b58900; '
        f'padding: 4px 8px">Incomplete: {reasons}</div>'
    )


def _graph(curves: list[Curve], run: RunInfo, page: Page) -> str:
    import plotly.io

    html: str = plotly.io.to_html(
        _figure(curves, page.max_points),
        include_plotlyjs=False,
        include_mathjax=False,
        full_html=False,
        div_id=f"livered-{run.number}",
        config={"displaylogo": False, "responsive": True, "typesetMath": False},
    )
    # The element stands before all data, so that the first match is the element whatever the data hold.
    head, found, tail = html.partition(_GRAPH_CLASS)
    if not found or "<script" in head:
        message = "The installed plotly writes pages in another form: install a version that livered-publish-monitor knows."
        raise PluginError(message)
    return f'{head}{_GRAPH_CLASS} plotlyjs-version="{PLOTLYJS_VERSION}"{tail}'


def _figure(curves: list[Curve], max_points: int) -> go.Figure:
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    panels: dict[tuple[str, str], list[Curve]] = {}
    for curve in curves:
        axes = (_axis_title(curve.x_name, curve.x_unit), _axis_title(curve.y_name, curve.y_unit))
        panels.setdefault(axes, []).append(curve)
    figure = make_subplots(rows=len(panels), cols=1, vertical_spacing=min(0.12, 0.4 / len(panels)))
    for row, ((x_title, y_title), members) in enumerate(panels.items(), start=1):
        for curve in members:
            x, y = _points(curve, max_points)
            trace = go.Scatter(x=x, y=y, name=for_plotly(curve.label), mode="lines", line={"width": 1.2})
            figure.add_trace(trace, row=row, col=1)
        figure.update_xaxes(title_text=x_title, row=row, col=1)
        figure.update_yaxes(title_text=y_title, row=row, col=1)
    figure.update_layout(
        template="none",
        height=_PANEL_HEIGHT * len(panels),
        margin={"l": 80, "r": 20, "t": 20, "b": 60},
        showlegend=True,
    )
    return figure


def _axis_title(name: str, unit: str) -> str:
    return for_plotly(f"{name} ({unit})" if name else unit)


def _points(curve: Curve, max_points: int) -> tuple[list[float | None], list[float | None]]:
    """Thinned points as plain lists: numpy arrays would be written as base64."""
    chosen = thin(curve.y, max_points)
    return _short(curve.x_centres[chosen]), _short(curve.y[chosen])


def _short(values: npt.NDArray[np.float64]) -> list[float | None]:
    """Numbers with seven significant digits, which no screen can tell from all; None where not finite."""
    return [float(f"{value:.7g}") if np.isfinite(value) else None for value in values.tolist()]


def _footer(result: Result, run: RunInfo, update: Update, page: Page, now_ns: int) -> str:
    labels = {curve.label for curve in result.curves}
    absent = [label for label in page.curves if label not in labels]
    facts: list[tuple[str, str]] = [
        ("Run", f"{run.instrument} {run.number}{f', {run.proposal}' if run.proposal else ''}"),
        ("Title", run.title or "none"),
        ("Result", result.title),
        ("Proton charge", charge(update.proton_charge_pc)),
        ("Pulses, events", f"{update.n_pulses:,}, {update.n_events:,}"),
        ("Data", _age(update, now_ns)),
        ("State", "final" if update.final else f"live, update {update.sequence}"),
        ("Complete", "yes" if update.complete else "no: " + (" ".join(update.missing) or "reason not known")),
    ]
    if absent:
        facts.append(("Not in this result", ", ".join(absent)))
    if result.images:
        facts.append(("Images not shown here", ", ".join(image.label for image in result.images)))
    notes = [(key, _number(note)) for key, note in result.metadata.items()]
    for curve in result.curves:
        if not page.curves or curve.label in page.curves:
            notes += [(f"{curve.label}: {key}", _number(note)) for key, note in curve.metadata.items()]
    facts += notes[:MOST_NOTES]
    if len(notes) > MOST_NOTES:
        facts.append(("More", f"{len(notes) - MOST_NOTES} values are not shown here"))
    facts.append(("Versions", ", ".join(f"{name} {version}" for name, version in page.versions.items())))
    rows = "".join(
        f'<tr><th scope="row" style="text-align: left; padding-right: 12px; font-weight: normal">{for_html(key)}'
        f"</th><td>{for_html(value)}</td></tr>"
        for key, value in facts
    )
    return f'<table style="font-size: 85%; border-collapse: collapse">{rows}</table>'


def _age(update: Update, now_ns: int) -> str:
    if not update.last_pulse_ns:
        return f"none when sent at {format_utc(now_ns)}"
    return (
        f"from {format_utc(update.first_pulse_ns)} to {format_utc(update.last_pulse_ns)}, "
        f"{duration(now_ns - update.last_pulse_ns)} old when sent at {format_utc(now_ns)}"
    )


def _number(note: object) -> str:
    if isinstance(note, bool):
        return "yes" if note else "no"
    return f"{note:.6g}" if isinstance(note, float) else plain(note)
