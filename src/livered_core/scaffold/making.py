"""From what somebody asks for to a folder that installs, passes its tests and reduces."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from pathlib import Path

import attrs

from livered_core.errors import ConfigError
from livered_core.hooks.registry import INSTRUMENTS, PLUGINS, PluginEntry, data_models, load_class
from livered_core.scaffold.definition import Measured, measure, read_idf
from livered_core.scaffold.filling import filled
from livered_core.scaffold.names import check_names, entry_points_now, owner_of
from livered_core.scaffold.request import Request
from livered_core.scaffold.writing import require_free, write_folder

_DEPENDENCIES = {
    "instrument": '"livered-core[native,simulator]>=0.1", "attrs>=23.2", "numpy>=1.24"',
    "sink": '"livered-core>=0.1", "attrs>=23.2"',
}
_OWNER = """
# {owner} reduces this instrument, too: the work is the scripts'.
[hooks.owner]
process_chunk = "scripts"
accumulate = "scripts"
post_process = "scripts"
"""


@attrs.frozen
class Made:
    """What was made, and how to go on.

    Attributes
    ----------
    folder
        The folder of the plugin.
    files
        Paths of its files below it, with slashes.
    commands
        What to type next, from the same working directory, in this order.
    """

    folder: Path
    files: tuple[str, ...]
    commands: tuple[str, ...]


def make_plugin(request: Request, available: Sequence[EntryPoint] | None = None) -> Made:
    """Make a plugin's folder, whole or not at all.

    Parameters
    ----------
    request
        What is asked for.
    available
        Entry points of plugins, whose names are taken; by default all that are installed.

    Raises
    ------
    ConfigError
        When a name is none or is taken, the folder is there, a file cannot be used, or the folder cannot be written.
    PluginLoadError
        When several installed packages claim the instrument, or its plugin, beside which scripts would run, cannot be
        loaded.
    """
    points = entry_points_now() if available is None else list(available)
    if request.kind == "sink" and request.idf is not None:
        message = "--idf: a sink has no instrument definition: leave it out."
        raise ConfigError(message)
    check_names(request, points)
    require_free(request.target)
    files = _sink(request, points) if request.kind == "sink" else _reduction(request, points)
    write_folder(request.target, files)
    return Made(request.target, tuple(sorted(files)), _commands(request, points))


def _sink(request: Request, points: Sequence[EntryPoint]) -> dict[str, str]:
    values = {
        **_values(request),
        "instrument": _tried_with(request, points) or "NAME",
        "config_file": "example.toml",
    }
    values["description"] = "livered plugin that keeps a list of reduced runs"
    values.update(group=PLUGINS, entry_name=request.name)
    return {**filled("common", values), **filled("package", values), **filled("sink", values)}


def _reduction(request: Request, points: Sequence[EntryPoint]) -> dict[str, str]:
    """Give the files of an instrument's plugin, or of scripts, with an instrument definition."""
    values = _values(request)
    name = request.instrument_name
    definition_file = f"{name.lower()}.xml"
    if request.idf is None:
        (xml,) = filled("definition", values).values()
        measured = measure(xml, name, "the small definition")
    else:
        measured = measure(read_idf(request.idf), name, str(request.idf))
    values.update(_of_definition(measured), definition_file=definition_file)
    values.update(description=f"livered plugin for {name}", group=INSTRUMENTS, entry_name=name)
    if request.kind == "scripts":
        owner = owner_of(request, points)
        _require_mantid(owner)
        values["owner"] = "" if owner is None else _OWNER.format(owner=owner.distribution)
        files = filled("scripts", values)
        files[definition_file] = measured.xml
    else:
        files = {**filled("package", values), **filled("instrument", values)}
        files[f"src/{request.name}/{definition_file}"] = measured.xml
    return {**filled("common", values), **files}


def _require_mantid(owner: PluginEntry | None) -> None:
    """See that an instrument's plugin can run beside scripts, which work on Mantid's workspaces."""
    if owner is not None and "mantid" not in data_models(load_class(owner)):
        message = (
            f"{owner.instrument} belongs to the plugin {owner}, which does not work on Mantid's workspaces as scripts do: "
            "uninstall it first, or give another instrument with --instrument."
        )
        raise ConfigError(message)


def _values(request: Request) -> dict[str, str]:
    return {
        "module": request.name,
        "distribution": request.distribution,
        "class_name": request.class_name,
        "settings_name": request.settings_name,
        "plugin_name": request.plugin_name,
        "instrument": request.instrument_name,
        "dependencies": _DEPENDENCIES.get(request.kind, ""),
    }


def _of_definition(measured: Measured) -> dict[str, str]:
    return {
        "n_banks": str(measured.n_banks),
        "group_by": measured.group_by,
        "d_min": repr(measured.d_min),
        "d_max": repr(measured.d_max),
        "d_first": repr(measured.d_at(0.4)),
        "d_second": repr(measured.d_at(0.7)),
        "tof_min_us": repr(measured.tof_min_us),
        "tof_max_us": repr(measured.tof_max_us),
    }


def _tried_with(request: Request, points: Sequence[EntryPoint]) -> str | None:
    """Return the name of the instrument that a sink is tried with: the one asked for, or one that is installed."""
    if request.instrument is not None:
        return request.instrument
    names = sorted(
        (point.name for point in points if point.group == INSTRUMENTS), key=lambda name: (len(name), name)
    )
    return names[0] if names else None


def _commands(request: Request, points: Sequence[EntryPoint]) -> tuple[str, ...]:
    folder = shlex.quote(str(request.target))
    tests = f"python -m pytest {folder}"
    if request.kind == "scripts":
        name = request.instrument_name
        config = shlex.quote(str(request.target / f"{name}.toml"))
        run = f"livered run --instrument {name} --config {config} --simulate --stop-after-run"
        return tests, f"livered check --instrument {name} --config {config} --no-connect", run
    # A bare name would be that of a package in an index.
    here = "" if request.target.is_absolute() else "./"
    install = f"pip install --editable {shlex.quote(f'{here}{request.target}[test]')}"
    commands = [install, tests, f"livered plugin check {request.name}", f"livered plugin test {request.name}"]
    if request.kind == "instrument":
        commands.append(f"livered run --instrument {request.instrument_name} --simulate --stop-after-run")
    elif (instrument := _tried_with(request, points)) is not None:
        config = shlex.quote(str(request.target / "example.toml"))
        commands.append(
            f"livered run --instrument {instrument} --config {config} --simulate --stop-after-run"
        )
    return tuple(commands)
