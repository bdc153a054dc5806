"""A result as one HTML file with its curves: opens anywhere, without network, and prints.

Nothing in it is fetched: styles, script, drawings and pictures are in the file, and its Content-Security-Policy
lets the browser load nothing and run nothing else. All text of the stream and of plugins is escaped.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from urllib.parse import quote

from livered_core.diffraction import UAH_PER_PC
from livered_core.model import Curve, Image, Result, RunInfo, Update, format_utc
from livered_core.model.text import one_line
from livered_core.publish.report_panels import html_text, panels


def report_html(
    result: Result,
    run: RunInfo,
    update: Update,
    versions: Mapping[str, str],
    written_ns: int,
    beside: Sequence[str] = (),
) -> bytes:
    """Write the report of a result.

    Parameters
    ----------
    result, run, update
        What is shown.
    versions
        Name to version of livered and the plugins.
    written_ns
        Time of writing, nanoseconds UTC since the Unix epoch.
    beside
        Names of files with the same result in the same folder, to link to.

    Returns
    -------
    bytes
        An HTML file, UTF-8. A panel for each kind of curve and each image; see `panels` for what bounds its size.
    """
    style, script = (
        files(__package__).joinpath(f"report.{kind}").read_text("utf-8") for kind in ("css", "js")
    )
    policy = (
        f"default-src 'none'; img-src data:; style-src {_source(style)}; script-src {_source(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    name = f"{run.instrument} run {run.number}"
    title = f"{name}: {run.title or result.title}"
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{html_text(title)}</title>\n<style>{style}</style>\n</head>\n<body>",
        f"<header><h1>{html_text(name)}</h1>",
        f'<p class="title"><bdi>{html_text(run.title or "without a title")}</bdi></p>{_state(update)}</header>\n<main>',
        panels(result.curves, result.images),
        _tables(result, run, update, versions, written_ns),
        _links(beside),
        f"</main>\n<script>{script}</script>\n</body>\n</html>\n",
    ]
    return "\n".join(parts).encode()


def _source(text: str) -> str:
    """Name an inline style or script to the policy by its digest."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _state(update: Update) -> str:
    final = "final result" if update.final else "not final: the run went on when this was written"
    if update.complete:
        return f'<p class="state good">Complete; {final}.</p>'
    reasons = " ".join(html_text(reason) for reason in update.missing)
    return f'<p class="state bad">INCOMPLETE; {final}.</p><p class="bad"><bdi>{reasons}</bdi></p>'


def _tables(
    result: Result, run: RunInfo, update: Update, versions: Mapping[str, str], written_ns: int
) -> str:
    data = {
        "proton charge": f"{update.proton_charge_pc * UAH_PER_PC:.6g} uAh",
        "pulses": f"{update.n_pulses:,}",
        "events": f"{update.n_events:,}",
        "first pulse": _time(update.first_pulse_ns),
        "last pulse": _time(update.last_pulse_ns),
        "update": update.sequence,
        "chunks": update.n_chunks,
        "skipped": f"{update.skipped_chunks:,} chunks, {update.skipped_events:,} events",
        "dropped": f"{update.dropped_chunks:,} chunks, {update.dropped_events:,} events",
    }
    identity = {
        "instrument": run.instrument,
        "run": run.number,
        "title": run.title,
        "proposal": run.proposal or "not known",
        "start": _time(run.start_ns),
        "written": _time(written_ns),
    }
    parts = [
        _table("Run", identity.items()),
        _table("Data", data.items()),
        _table("Sample", run.sample.items()),
        _table(result.title or "Result", result.metadata.items()),
        _table("Versions", versions.items()),
    ]
    shown: tuple[Curve | Image, ...] = (*result.curves, *result.images)
    parts += [
        f"<details><summary><bdi>{html_text(item.label)}</bdi></summary>{_rows(item.metadata.items())}</details>"
        for item in shown
        if item.metadata
    ]
    return "\n".join(parts)


def _table(heading: str, rows: Iterable[tuple[str, object]]) -> str:
    written = _rows(rows)
    return f"<section><h2>{html_text(heading)}</h2>{written}</section>" if written else ""


def _rows(rows: Iterable[tuple[str, object]]) -> str:
    written = "".join(
        f'<tr><th scope="row">{html_text(key)}</th><td><bdi>{html_text(_shown(value))}</bdi></td></tr>'
        for key, value in rows
    )
    return f"<table>{written}</table>" if written else ""


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.8g}" if isinstance(value, float) else str(value)


def _links(names: Iterable[str]) -> str:
    items = "".join(f'<li><a href="{quote(one_line(name))}">{html_text(name)}</a></li>' for name in names)
    return f"<section><h2>Files beside this one</h2><ul>{items}</ul></section>" if items else ""


def _time(time_ns: int) -> str:
    return format_utc(time_ns) if time_ns else "not known"
