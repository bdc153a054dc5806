"""Checks of the class and of the package it comes in: nothing of it is run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from livered_core.config import Config, Layer, merge, parse_layer, structure
from livered_core.errors import ConfigError, PluginError
from livered_core.hooks.inspection import hook_problems
from livered_core.hooks.registry import PackagedDefaults, distribution_of, packaged_defaults
from livered_core.testing.checks.finding import CannotTell, Found, first_wrong, not_applicable, ok, wrong
from livered_core.testing.checks.subject import Subject

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", re.ASCII)
_MODELS: Final = ("native", "mantid")


def hooks(subject: Subject) -> Found:
    """See that hooks have the right names, arguments and marks."""
    each = [f"{name} ({role})" if role == "wrapper" else name for name, role in subject.hooks.items()]
    return first_wrong(
        hook_problems(subject.plugin_class),
        "The hooks and their arguments are in docs/hooks.md.",
        f"{', '.join(each)}: names and arguments are right.",
    )


def constructor(subject: Subject) -> Found:
    """See that an instance can be made, of the settings alone."""
    try:
        subject.loaded()
    except CannotTell:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a plugin's code)
        takes = "without arguments" if subject.settings_class is None else "with settings=..."
        return wrong(
            f"an instance cannot be made: {type(error).__name__}: {error}.",
            f"livered makes it {takes}; read files and open connections in session_started.",
        )
    return ok("an instance can be made.")


def entry_point(subject: Subject) -> Found:
    """See that livered finds the class by the name that people write."""
    entry = subject.entry
    if entry is None or entry.entry_point.dist is None:
        return not_applicable("the class was named by its place, and no installed package declares it.")
    point = entry.entry_point
    said = f'{point.name} = "{point.value}" in [project.entry-points."{point.group}"]'
    if point.load() is not subject.plugin_class:
        return wrong(
            f"{said} names something else than {subject.plugin_class.__name__}.", "Name the class there."
        )
    if entry.instrument is None and not _NAME.fullmatch(point.name):
        return wrong(
            f"{said}: the name is none that can be written as [plugins.{point.name}].",
            "Use letters, digits, - and _.",
        )
    return ok(f"{said}.")


def distribution(subject: Subject) -> Found:
    """See that the package says who it is and what it needs."""
    dist = None if subject.entry is None else subject.entry.entry_point.dist
    if subject.entry is None or dist is None:
        return not_applicable("no installed package declares the class.")
    if not distribution_of(subject.entry.entry_point)[0]:
        return wrong(
            "the installed package has no metadata: nobody can tell whose results these are.",
            "Install it anew with pip.",
        )
    needs = [_name_of(requirement) for requirement in dist.requires or []]
    found = []
    if not dist.version or dist.version == "0.0.0":
        found.append(
            f"{dist.name} has version {dist.version or 'none'}: what is written into files would say nothing."
        )
    if "livered-core" not in (*needs, _name_of(dist.name)):
        found.append(f"{dist.name} does not say that it needs livered-core.")
    return first_wrong(
        found,
        'Say it in pyproject.toml: version, and dependencies = ["livered-core", ...].',
        f"{dist.name} {dist.version}.",
    )


def _name_of(requirement: str) -> str:
    name = requirement
    for end in " ;[(<>=!~":
        name = name.partition(end)[0]
    return name.replace("_", "-").lower()


def defaults(subject: Subject) -> Found:
    """See that the packaged defaults are a configuration."""
    entry = subject.entry
    if entry is None or entry.instrument is None:
        return not_applicable("only the plugin of an instrument brings defaults.toml along.")
    try:
        packaged = packaged_defaults(entry)
    except PluginError as error:
        return wrong(str(error), "Correct the package.")
    if packaged is None:
        return not_applicable(
            "there is no defaults.toml in the package, so everybody has to say the address of the data stream."
        )
    return first_wrong(
        _defaults_problems(subject, packaged, entry.instrument),
        "Correct defaults.toml; files in it are relative to it, and have to be shipped with the package.",
        f"{packaged.origin} can be read.",
    )


def _defaults_problems(subject: Subject, packaged: PackagedDefaults, instrument: str) -> list[str]:
    try:
        layers = [
            parse_layer(packaged.text, packaged.origin, packaged.folder),
            Layer("check", {"instrument": instrument}, Path.cwd()),
        ]
        merged = merge(layers)
        others = [name for name in merged.values.get("plugins", {}) if name != subject.name]
        config = structure(merged.without_plugins(others), {subject.name: subject.settings_class}, {})
    except ConfigError as error:
        # What people have to give is theirs to give.
        ours = f"plugins.{subject.name}"
        return [
            said
            for said in error.problems
            if not said.startswith(f"{ours} (")
            and not (said.startswith(f"{ours}.") and " is missing" in said)
        ]
    return _missing_files(config)


def _missing_files(config: Config) -> list[str]:
    idf = config.simulate.idf
    if isinstance(idf, Path) and not idf.is_file():
        return [f"simulate.idf names {idf}, which is not there."]
    return []


def models(subject: Subject) -> Found:
    """See that the class says what data it works on."""
    declared = getattr(subject.plugin_class, "data_models", None)
    owns = [hook for hook in subject.transforms if subject.hooks[hook] == "owner"]
    if declared is None:
        if "process_chunk" in owns:
            return wrong(
                "process_chunk is there, and the class does not say what data it works on, so livered takes it for both.",
                'Write data_models = ("native",), ("mantid",) or both into the class.',
            )
        return ok("not said, so both: livered's own events, and Mantid's workspaces.")
    unknown = [model for model in declared if model not in _MODELS]
    if isinstance(declared, str) or not isinstance(declared, (tuple, list)) or not declared or unknown:
        return wrong(
            f"data_models is {declared!r}.",
            'Make it a tuple with "native", "mantid" or both: data_models = ("native",).',
        )
    return ok(f"{' and '.join(declared)}.")
