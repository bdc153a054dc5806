"""The rows of ``livered plugins``: what is installed, what is wanted and what runs, laid together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from livered_core.cli.plugins_seen import rows_in
from livered_core.cli.plugins_wanted import Wanted
from livered_core.cli.status_facts import is_running, is_silent, safe
from livered_core.cli.status_sight import Sight
from livered_core.engine.plugin_look import Look
from livered_core.engine.plugin_points import InstalledPlugin
from livered_core.engine.plugin_rows import kind_of
from livered_core.engine.plugin_words import FAILS, REFUSED, RUNS

_WORST: Final = (FAILS, REFUSED, RUNS)
BROKEN: Final = "broken"
BUILT_IN: Final = "built in"
CLAIMED_TWICE: Final = "claimed twice"
INSTALLED: Final = "installed"
MISSING: Final = "missing"
NOT_WANTED: Final = "not wanted"
WANTED: Final = "wanted"
_BAD: Final = (FAILS, REFUSED, BROKEN, CLAIMED_TWICE, MISSING)


@attrs.frozen(eq=False)
class Use:
    """A plugin in one livered.

    Attributes
    ----------
    instrument
        Name of the run directory.
    engine
        What the livered there does, in a word.
    runs
        Whether it runs; else the row is what it wrote last.
    row
        Of `livered_core.cli.plugins_seen.rows_in`.
    """

    instrument: str
    engine: str
    runs: bool
    row: Mapping[str, Any]


@attrs.frozen(eq=False)
class ListedPlugin:
    """A line of the list.

    Attributes
    ----------
    name, version, distribution, file, kind, data_models, entry_point, instruments
        Who it is; what is not known is empty. `instruments` has the names of the instrument that it owns.
    hooks
        Each hook to its role.
    state, reason
        How it is, a word of ``docs/operations.md``, and sentences on why.
    wanted
        Whether the configuration of the instrument that was asked for wants it; None where none was asked for.
    uses
        In which livereds it runs, or has run last.
    """

    name: str
    version: str
    distribution: str
    file: str
    kind: str
    data_models: tuple[str, ...]
    entry_point: str
    instruments: tuple[str, ...]
    hooks: Mapping[str, str]
    state: str
    reason: str
    wanted: bool | None
    uses: tuple[Use, ...]

    @property
    def is_bad(self) -> bool:
        """Whether somebody has to see to it where it is wanted."""
        return self.state in _BAD

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        plain = {key: getattr(self, key) for key in ("name", "version", "distribution", "file", "kind")}
        return {
            **plain,
            "data_models": list(self.data_models),
            "entry_point": self.entry_point,
            "instruments": list(self.instruments),
            "state": self.state,
            "reason": self.reason,
            "wanted": self.wanted,
            "hooks": [{"hook": hook, "role": role} for hook, role in self.hooks.items()],
            "used_by": [
                {"instrument": use.instrument, "engine": use.engine, "runs": use.runs, **use.row}
                for use in self.uses
            ],
        }


def uses_in(sights: Sequence[Sight]) -> list[Use]:
    """Give what runs, or has run last, in some run directories."""
    return [
        Use(
            sight.name,
            "silent" if is_silent(sight) else safe(sight.state.word),
            is_running(sight) or is_silent(sight),
            row,
        )
        for sight in sights
        for row in rows_in(sight.status)
    ]


def table(
    plugins: Sequence[InstalledPlugin], looks: Sequence[Look], uses: Sequence[Use], wanted: Wanted | None
) -> list[ListedPlugin]:
    """Lay everything together.

    Parameters
    ----------
    plugins
        What is installed.
    looks
        What each of them is.
    uses
        What runs.
    wanted
        What the configuration of the instrument wants that was asked for; None where none was.

    Returns
    -------
    list of ListedPlugin
        What is installed, what is wanted and missing, and what runs, or ran for the instrument that was asked for, and
        is not installed here. First what is wrong and matters, then what runs or is wanted, then the others.
    """
    left = list(uses)
    rows = []
    for plugin, look in zip(plugins, looks, strict=True):
        own = [use for use in left if _is_of(use.row, plugin, look)]
        left = [use for use in left if use not in own]
        rows.append(_installed(plugin, look, tuple(own), wanted))
    if wanted is not None:
        known = {plugin.name for plugin in plugins if not plugin.is_instrument}
        rows += [_missing(name, own, wanted) for name, own in wanted.tables.items() if own not in known]
    # What another Python ran once, and nobody asks for, is no loss.
    rows += [_elsewhere(use, wanted) for use in left if use.runs or wanted is not None]
    return sorted(rows, key=_rank)


def _rank(row: ListedPlugin) -> int:
    runs = any(use.runs for use in row.uses)
    matters = row.wanted or runs or row.state == BUILT_IN
    if row.is_bad:
        return 0 if matters else 2
    return 1 if matters else 3


def _is_of(row: Mapping[str, Any], plugin: InstalledPlugin, look: Look) -> bool:
    if row["distribution"] not in ("", plugin.distribution):
        return False
    if row["class"]:
        return row["class"] == (look.class_name or plugin.entry_point) or (
            not look.class_name and row["name"] == plugin.name
        )
    return bool(row["name"] == plugin.name)


def _installed(
    plugin: InstalledPlugin, look: Look, uses: tuple[Use, ...], wanted: Wanted | None
) -> ListedPlugin:
    state, reasons = _state(plugin, look, uses, wanted)
    return ListedPlugin(
        name=safe(plugin.name),
        version=safe(plugin.version),
        distribution=safe(plugin.distribution),
        file=safe(look.file or plugin.file),
        kind=kind_of(look.hooks, is_instrument=plugin.is_instrument)
        if not look.problem
        else _kind_of(plugin),
        data_models=tuple(map(safe, look.data_models)),
        entry_point=safe(plugin.entry_point),
        instruments=tuple(map(safe, plugin.names)) if plugin.is_instrument else (),
        hooks={safe(hook): safe(role) for hook, role in look.hooks.items()},
        state=state,
        reason=" ".join(safe(reason) for reason in reasons),
        wanted=None if wanted is None else bool(_wish(plugin, wanted)) or plugin.is_built_in,
        uses=uses,
    )


def _kind_of(plugin: InstalledPlugin) -> str:
    """Give the kind as far as it is known of a plugin that cannot be loaded."""
    return "instrument" if plugin.is_instrument else ""


def _state(
    plugin: InstalledPlugin, look: Look, uses: tuple[Use, ...], wanted: Wanted | None
) -> tuple[str, list[str]]:
    running = [use for use in uses if use.runs]
    wish = _wish(plugin, wanted)
    if running:
        states = [use.row["state"] for use in running]
        state = next((word for word in _WORST if word in states), RUNS)
        reasons = [
            f"{use.instrument}{_under(use, plugin)}: {use.row['reason'] or 'Runs.'}" for use in running
        ]
        reasons += plugin.rivals
        if look.problem and state != REFUSED:
            reasons.append(f"What is on disk cannot be loaded, and a start would fail: {look.problem}")
        others = {use.row["version"] for use in running} - {plugin.version}
        reasons += [f"{other} runs, and {plugin.version} is installed." for other in sorted(others) if other]
        return state, reasons
    before = [f"It ran last in {use.instrument}, which is {use.engine}." for use in uses]
    if plugin.rivals:
        return CLAIMED_TWICE, [*plugin.rivals, *before]
    if look.problem:
        because = f"{wish.rstrip('.')}, and cannot be loaded" if wish else "It cannot be loaded"
        return BROKEN, [f"{because}: {look.problem}", *before]
    if plugin.is_built_in:
        return BUILT_IN, ["Every session loads it.", *before]
    if wanted is None:
        return INSTALLED, before or ["No livered of this user runs it."]
    if wish:
        return WANTED, [wish, *(before or [f"{wanted.instrument} does not run it: see livered status."])]
    return NOT_WANTED, [_how_to_want(plugin, wanted), *before]


def _under(use: Use, plugin: InstalledPlugin) -> str:
    """Say under which name it runs, where that is not its own."""
    return f" as {use.row['name']}" if use.row["name"] != plugin.name else ""


def _wish(plugin: InstalledPlugin, wanted: Wanted | None) -> str:
    """Say who wants a plugin; empty where nobody does."""
    if wanted is None:
        return ""
    if plugin.is_instrument:
        names = [name.lower() for name in plugin.names]
        return f"Wanted: {wanted.instrument} is its instrument." if wanted.instrument.lower() in names else ""
    tables = [name for name, own in wanted.tables.items() if own == plugin.name]
    return " ".join(f"Wanted by [plugins.{name}] ({wanted.origins[name]})." for name in tables)


def _how_to_want(plugin: InstalledPlugin, wanted: Wanted) -> str:
    if plugin.is_instrument:
        return f"Installed for {', '.join(plugin.names)}, and not for {wanted.instrument}."
    return f"Installed, and not wanted by the configuration of {wanted.instrument}: [plugins.{plugin.name}] adds it."


def _missing(name: str, own: str, wanted: Wanted) -> ListedPlugin:
    reason = (
        f"Wanted by [plugins.{name}] ({wanted.origins[name]}), and no package that is installed here provides {own}: "
        "install it, or remove the table."
    )
    return ListedPlugin(safe(own), "", "", "", "", (), "", (), {}, MISSING, safe(reason), True, ())


def _elsewhere(use: Use, wanted: Wanted | None) -> ListedPlugin:
    """Make a line of what runs, or ran, and is not installed in this Python."""
    row = use.row
    here = f"It is not installed in the Python of this command, and {'runs' if use.runs else 'ran'} in that of {use.instrument}."
    return ListedPlugin(
        name=row["name"],
        version=row["version"],
        distribution=row["distribution"],
        file=row["file"],
        kind=row["kind"],
        data_models=tuple(row["data_models"]),
        entry_point=row["class"],
        instruments=(),
        hooks={hook["hook"]: hook["role"] for hook in row["hooks"]},
        state=row["state"] or RUNS if use.runs else MISSING,
        reason=" ".join(filter(None, [f"{use.instrument}: {row['reason']}" if use.runs else "", here])),
        wanted=None if wanted is None else row["name"] in (wanted.own, *wanted.tables),
        uses=(use,),
    )
