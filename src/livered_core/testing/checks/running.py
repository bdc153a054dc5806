"""All checks of a plugin, one after the other."""

from __future__ import annotations

import os
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs

from livered_core.errors import ConfigError, LiveredError
from livered_core.hooks.registry import PluginEntry, settings_class
from livered_core.model import Chunk
from livered_core.testing.builders import powder_chunk
from livered_core.testing.checks.finding import CannotTell, Finding, Found, Verdict, not_tried, wrong
from livered_core.testing.checks.subject import Budget, Subject
from livered_core.testing.checks.table import CHECKS, HOOKS, Check
from livered_core.testing.cutting import split_chunk
from livered_core.testing.instruments import small_instrument
from livered_core.testing.loading import ORIGIN, plugin_entry, read_settings
from livered_core.testing.named import NamedPlugin
from livered_core.testing.nouns import make_run

if TYPE_CHECKING:
    from livered_core.testing.real_chunks import RecordedRun

D_SPACINGS: Final = (2.06, 1.26, 1.08, 0.89)
"""Peaks of made data, Angstrom: those of diamond."""
_EVENTS: Final = 20_000
_PARTS: Final = (14, 16, 17, 13)
_FEWEST: Final = 3


def check_plugin(
    plugin: type | NamedPlugin,
    settings: Any = None,
    *,
    data: RecordedRun | None = None,
    budget: Budget | None = None,
    publish: bool = True,
    only: Sequence[str] = (),
    tell: Callable[[Finding], None] | None = None,
) -> list[Finding]:
    """Check a plugin: its class, its settings, and what it does with data.

    Nothing is raised for what is wrong with the plugin: each check gives a `Finding`. Called in a thread of its own
    choosing; takes seconds, and runs the plugin's code, which writes where its settings say.

    Parameters
    ----------
    plugin
        Its class, or what `livered_core.testing.find_plugin` found.
    settings
        A mapping, read as the table of a configuration file, or an object of its ``settings_class``; None for the
        defaults.
    data
        A run of the native model with chunks in the order of their times, such as one of
        `livered_core.testing.chunks_of`; a run of less than three chunks is cut into more. By default a powder in the
        test kit's small instrument.
    budget
        What reducing may cost.
    publish
        Whether made-up results are handed to the plugin, if it is a sink: let the settings name a place that is there
        for tests.
    only
        Names of checks (`CHECKS`); empty for all.
    tell
        Called with each finding as soon as it is there.

    Returns
    -------
    list of Finding
        In the order of `CHECKS`.

    Raises
    ------
    ValueError
        When there is no check of a name in `only`, or less than three pulses in `data`.

    Examples
    --------
    >>> from livered_core.publish.files import FilesPlugin
    >>> problems(check_plugin(FilesPlugin, only=["hooks", "settings strict"]))
    []
    """
    wanted = _wanted(only)
    run, given = (make_run(), _made_chunks()) if data is None else (data.run, _enough(data.chunks))
    cls = plugin.plugin_class if isinstance(plugin, NamedPlugin) else plugin
    entry = plugin.entry if isinstance(plugin, NamedPlugin) else plugin_entry(plugin)
    made, why = _settings(cls, settings, entry, run.instrument)
    findings = []
    with tempfile.TemporaryDirectory(prefix="livered-check-") as folder:
        subject = Subject(
            plugin_class=cls,
            name=entry.name,
            entry=entry,
            settings=made,
            unknown_settings=why,
            run=run,
            given=given,
            budget=Budget() if budget is None else budget,
            publish=publish,
            output_dir=folder,
        )
        for finding in _findings(subject, wanted):
            findings.append(finding)
            if tell is not None:
                tell(finding)
    return findings


def _wanted(only: Sequence[str]) -> list[Check]:
    names = [check.name for check in CHECKS]
    unknown = [name for name in only if name not in names]
    if unknown:
        message = f"There is no check {unknown[0]!r}: there are {', '.join(names)}."
        raise ValueError(message)
    return [check for check in CHECKS if not only or check.name in only]


def _made_chunks() -> list[Chunk]:
    logs = {"SampleTemp": [300.0, 300.1]}
    chunk = powder_chunk(small_instrument(), D_SPACINGS, n_events=_EVENTS, pulses=sum(_PARTS), logs=logs)
    return split_chunk(chunk, _PARTS)


def _enough(chunks: Sequence[Chunk]) -> list[Chunk]:
    """Cut chunks until there are some of a run."""
    if len(chunks) >= _FEWEST:
        return list(chunks)
    found = []
    for chunk in chunks:
        parts = min(_FEWEST, chunk.n_pulses)
        each, more = divmod(chunk.n_pulses, parts) if parts else (0, 0)
        found += split_chunk(chunk, [each + (index < more) for index in range(parts)]) if parts else []
    if len(found) < _FEWEST:
        message = f"check_plugin got data of {len(found)} pulses: give at least {_FEWEST}."
        raise ValueError(message)
    return [attrs.evolve(chunk, sequence=index + 1) for index, chunk in enumerate(found)]


def _settings(cls: type, settings: Any, entry: PluginEntry, instrument: str) -> tuple[Any, str]:
    """Return the settings, or why there are none."""
    wanted = settings_class(cls)
    if wanted is None and settings is None:
        return None, ""
    try:
        return read_settings(cls, settings, entry, instrument), ""
    except ConfigError as error:
        return None, " ".join(problem.replace(f" ({ORIGIN})", "") for problem in error.problems)
    except (LiveredError, TypeError) as error:
        return None, str(error)


def _findings(subject: Subject, checks: Sequence[Check]) -> Iterator[Finding]:
    can_run = True
    for check in (HOOKS, *(check for check in checks if check is not HOOKS)):
        if can_run or check.subject in ("class", "settings"):
            found = _look(check, subject)
        else:
            found = not_tried("its hooks are wrong.", "Correct them first.")
        if check is HOOKS:
            can_run = found.verdict is not Verdict.WRONG
        if check in checks:
            yield Finding(check.subject, check.name, found.verdict, found.sentence, found.remedy)


def _look(check: Check, subject: Subject) -> Found:
    environ = dict(os.environ)
    try:
        with warnings.catch_warnings():
            # Of division by zero and the like: `livered plugin test` shows them.
            warnings.simplefilter("ignore")
            return check.look(subject)
    except CannotTell as cannot:
        return cannot.found
    except (Exception, SystemExit) as error:  # noqa: BLE001  (plugins' code is run, and may do anything)
        where = traceback.extract_tb(error.__traceback__)[-1]
        return wrong(
            f"the check ends with {type(error).__name__}: {error} ({where.name}, line {where.lineno}).",
            "Mend what it tells; if it is not of the plugin, report it.",
        )
    finally:
        # Else what the plugin sets would be there already when it is looked for.
        if os.environ != environ:
            os.environ.clear()
            os.environ.update(environ)
