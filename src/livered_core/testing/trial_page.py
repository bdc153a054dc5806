"""The page with the curves of a trial: the report that livered writes of each run."""

from __future__ import annotations

import time
from importlib.metadata import version
from pathlib import Path

from livered_core.config import Config
from livered_core.errors import LiveredError
from livered_core.publish.files_settings import FilesSettings
from livered_core.publish.report import report_html
from livered_core.testing.trial_nouns import Trial
from livered_core.testing.trial_parts import TriedRun


def make_page(trial: Trial, config: Config) -> Path | None:
    """Find the report of the last run with a result, and write it where the trial has not written one.

    Parameters
    ----------
    trial
        The trial.
    config
        What it ran with.

    Returns
    -------
    Path or None
        A self-contained HTML file; None where there is no result.

    Raises
    ------
    LiveredError
        When it cannot be written.
    """
    shown = next((run for run in reversed(trial.runs) if run.result is not None), None)
    if shown is None:
        return None
    path = _path(shown, config)
    if path in trial.files:
        return path
    assert shown.result is not None
    assert shown.update is not None
    versions = {"livered-core": version("livered-core"), trial.name: trial.plugin}
    page = report_html(shown.result, shown.run, shown.update, versions, time.time_ns())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(page)
    except OSError as error:
        message = f"The page with the curves cannot be written to {path} ({error.strerror or error}): name another folder with --output-dir."
        raise LiveredError(message) from error
    return path


def _path(shown: TriedRun, config: Config) -> Path:
    """Say where the files plugin writes, or would write, the report of a run."""
    files = config.plugins.get("files") or FilesSettings()
    path = files.path(shown.run, config.output_dir)
    return path.with_name(f"{path.name}.html")
