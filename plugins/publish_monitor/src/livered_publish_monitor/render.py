"""A result as one ``<div>`` that the facility's monitor puts into its page.

What the monitor needs (neutrons/data_workflow): no plotly.js within, for it loads its own; the attribute
``plotlyjs-version`` on ``div.plotly-graph-div``, by which it chooses that; arrays as plain lists; everything
that comes from the beamline escaped, for the text is put into the page as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import attrs

from livered_core import Image, Result, RunInfo, Update
from livered_publish_monitor.figures import Panel, curves_figure, image_figure, panels_of
from livered_publish_monitor.footer import Fact, facts_of, footer, warning
from livered_publish_monitor.layout import behind_tabs, graph, one_below_the_other
from livered_publish_monitor.page_text import for_html

Layout = Literal["panels", "tabs"]

FEWEST_POINTS: Final = 50
"""Points of a curve below which a page is not made smaller."""
_IMAGES_SHARE: Final = 0.5


class PageTooLarge(ValueError):  # noqa: N818  (reads as what happened)
    """A page cannot be made small enough."""


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
    layout
        ``"panels"``: one figure below the other; ``"tabs"``: one at a time.
    images
        Whether images are drawn.
    max_cells
        Most cells of an image that is drawn.
    max_bytes
        Largest page, bytes of UTF-8.
    """

    max_points: int
    curves: tuple[str, ...]
    versions: Mapping[str, str]
    layout: Layout = "panels"
    images: bool = False
    max_cells: int = 20_000
    max_bytes: int = 500_000


@attrs.frozen
class Rendered:
    """A page.

    Attributes
    ----------
    html
        UTF-8; begins with ``<div``.
    digest
        The same for two pages that show the same: all but times, ages, and how often livered has looked.
    points
        Most points of a curve on it.
    """

    html: bytes = attrs.field(repr=False)
    digest: str
    points: int


def render(result: Result, run: RunInfo, update: Update, page: Page, now_ns: int) -> Rendered:
    """Render a result.

    Curves with the same quantities and units share a figure. A page that would be larger than `Page.max_bytes` has
    fewer points, and says so; images that would take more than half of that are named and not drawn.

    Parameters
    ----------
    result, run, update
        What is shown.
    page
        How.
    now_ns
        Wall time, from which the age of the data is counted, nanoseconds UTC since the Unix epoch.

    Raises
    ------
    PageTooLarge
        When the page is larger than `Page.max_bytes` with `FEWEST_POINTS` points for each curve.
    """
    curves = [curve for curve in result.curves if not page.curves or curve.label in page.curves]
    drawn, graphs_of_images, remarks = _images(result.images, run, page)
    labels = {curve.label for curve in result.curves}
    absent = [label for label in page.curves if label not in labels]
    if absent:
        remarks.insert(0, Fact("Not in this result", ", ".join(absent)))
    panels = panels_of(curves, drawn)
    facts = facts_of(result, run, update, curves, now_ns)
    versions = Fact("Versions", ", ".join(f"{name} {version}" for name, version in page.versions.items()))
    points = page.max_points
    while True:
        thinned = [Fact("Thinned", f"to {points} points a curve, so that the page is small")]
        below = [*facts, *remarks, *(thinned if points < page.max_points else []), versions]
        graphs = [*_graphs(panels, points, run), *graphs_of_images]
        html = _assemble(_heading(result, run, update), graphs, panels, below, run, update, page)
        content = html.encode()
        if len(content) <= page.max_bytes:
            return Rendered(content, _digest(result, run, update, graphs, below), points)
        if points <= FEWEST_POINTS:
            message = f"The page of run {run.number} would have {len(content)} bytes with only {points} points a curve."
            raise PageTooLarge(message)
        points = max(FEWEST_POINTS, min(points - 1, int(points * 0.95 * page.max_bytes / len(content))))


def _images(images: Sequence[Image], run: RunInfo, page: Page) -> tuple[list[Image], list[str], list[Fact]]:
    """Choose the images to draw; give them, their figures, and what to say of the others."""
    drawn: list[Image] = []
    figures: list[str] = []
    left_out: list[str] = []
    room = page.max_bytes * _IMAGES_SHARE
    for image in images if page.images else ():
        if image.z.size <= page.max_cells:
            figure = graph(f"livered-{run.number}-image-{len(drawn) + 1}", image_figure(image))
            if len(figure) <= room:
                room -= len(figure)
                drawn.append(image)
                figures.append(figure)
                continue
        left_out.append(f"{image.label} (too large: {image.z.size:,} cells)")
    if not page.images:
        left_out = [image.label for image in images]
    return drawn, figures, [Fact("Images not shown here", ", ".join(left_out))] if left_out else []


def _graphs(panels: Sequence[Panel], points: int, run: RunInfo) -> list[str]:
    return [
        graph(f"livered-{run.number}-{number}", curves_figure(panel, points))
        for number, panel in enumerate((panel for panel in panels if panel.curves), start=1)
    ]


def _heading(result: Result, run: RunInfo, update: Update) -> str:
    return (
        f"{for_html(run.instrument)} run {run.number}: {for_html(run.title or result.title)} "
        f"({'final' if update.final else f'live, update {update.sequence}'})"
    )


def _assemble(
    heading: str,
    graphs: Sequence[str],
    panels: Sequence[Panel],
    facts: Sequence[Fact],
    run: RunInfo,
    update: Update,
    page: Page,
) -> str:
    names = [panel.name for panel in panels]
    if not graphs:
        body = "<p>This result has no curve to show here.</p>"
    elif page.layout == "tabs" and len(graphs) > 1:
        body = behind_tabs(graphs, names, f"livered-{run.number}")
    else:
        body = one_below_the_other(graphs, names)
    parts = [
        f'<div class="livered" data-run="{run.number}" data-update="{update.sequence}" '
        f'data-final="{str(update.final).lower()}" data-complete="{str(update.complete).lower()}" '
        'style="font-family: sans-serif">',
        f'<div style="font-weight: bold; padding: 4px 0">{heading}</div>',
        warning(update),
        body,
        footer(facts),
        "</div>",
    ]
    return "\n".join(part for part in parts if part)


def _digest(
    result: Result, run: RunInfo, update: Update, graphs: Sequence[str], facts: Sequence[Fact]
) -> str:
    lasting = [f"{fact.name}\n{fact.value}" for fact in facts if fact.lasting]
    state = "final" if update.final else "live"
    parts = [state, str(run.number), run.title, result.title, *update.missing, *lasting, *graphs]
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()
