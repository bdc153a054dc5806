"""``livereduce.conf``, the settings of the livereduce service, as settings of livered.

The keys, their defaults and the rule by which the scripts are named are those of the service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from livered_core.config.importing import Document, leave_out_unknown
from livered_core.config.toml import dotted
from livered_core.config.validators import TRANSFORM_HOOKS, require_instrument_name
from livered_core.errors import ConfigError

KEYS: Final = (
    "instrument",
    "script_dir",
    "CONDA_ENV",
    "PIXI_ENV",
    "update_every",
    "preserve_events",
    "accum_method",
    "periods",
    "spectra",
    "system_mem_limit_perc",
    "mem_check_interval_sec",
    "watchdog",
)
"""All keys that the service or its watchdog reads."""

_SHORT_NAMES: Final = {
    "BASIS": "BSS",
    "EQ-SANS": "EQSANS",
    "HYSPEC": "HYS",
    "NOMAD": "NOM",
    "POWGEN": "PG3",
    "SEQUOIA": "SEQ",
    "VISION": "VIS",
}
"""Mantid's short names (Facilities.xml) of the SNS's instruments that have one; scripts and folders have these."""
_DEFAULT_ENVIRONMENT: Final = "mantid_dev"
_DEFAULT_UPDATE_EVERY: Final = 30
_METHODS: Final = ("Add", "Replace", "Append")
_STAGES: Final = {"process": "proc", "post_process": "post_proc"}


@attrs.frozen
class Installed:
    """What must be known of the machine to import a file.

    Attributes
    ----------
    claimed
        Gives livered's name of an instrument by any of its names; None where no installed plugin claims it.
    working_directory
        What a relative ``script_dir`` is relative to.
    """

    claimed: Callable[[str], str | None]
    working_directory: Path


def import_livereduce(
    values: Mapping[str, Any], origin: str, instrument: str | None, installed: Installed, document: Document
) -> str:
    """Write the settings of a ``livereduce.conf`` into a document.

    Parameters
    ----------
    values
        What the file holds.
    origin
        The file, for sentences.
    instrument
        livered's name of the instrument; None for that of the file.
    installed
        What is known of the machine.
    document
        To be written to.

    Returns
    -------
    str
        livered's name of the instrument.

    Raises
    ------
    ConfigError
        With a sentence for each wrong value.
    """
    problems = _problems(values, origin)
    named = values.get("instrument")
    if named is None and instrument is None:
        problems.append(
            f"{origin} names no instrument, and neither does --instrument: give it, for example NOM."
        )
    if problems:
        raise ConfigError(problems)
    mantids = str(named or instrument)
    scripts = _find_scripts(mantids, values.get("script_dir"), instrument, installed.working_directory)
    claimed = installed.claimed(instrument or mantids)
    name = require_instrument_name(instrument or claimed or _SHORT_NAMES.get(mantids.upper(), mantids))
    document.set(["instrument"], name)
    document.set(["backend"], "mantid")
    document.set(["update_every"], float(values.get("update_every", _DEFAULT_UPDATE_EVERY)))
    _import_mantid(values, name, mantids, document)
    _import_memory(values, document)
    _import_scripts(values, scripts, document)
    if claimed is not None:
        _own_hooks(claimed, any(path.exists() for path in scripts.values()), document)
    _leave_out(values, document)
    return name


def _problems(values: Mapping[str, Any], origin: str) -> list[str]:
    """Say what is wrong, a sentence for each key."""
    checks: dict[str, tuple[Callable[[Any], bool], str]] = {
        "instrument": (_is_text, "the name of an instrument"),
        "script_dir": (_is_text, "a folder"),
        "CONDA_ENV": (_is_text, "the name of an environment"),
        "PIXI_ENV": (_is_text, "the name of an environment"),
        "update_every": (lambda value: _is_number(value) and 0 < value < 1e9, "a number of seconds above 0"),
        "preserve_events": (lambda value: isinstance(value, bool), "true or false"),
        "accum_method": (lambda value: value in _METHODS, f"one of {', '.join(_METHODS)}"),
        "periods": (_are_numbers, "a list of whole numbers"),
        "spectra": (_are_numbers, "a list of whole numbers"),
        "system_mem_limit_perc": (_is_share, "from 1 to 100 per cent, or 0 for no limit"),
    }
    return [
        f"{dotted([key])} in {origin} must be {wanted}: correct it there."
        for key, (is_right, wanted) in checks.items()
        if values.get(key) is not None and not is_right(values[key])
    ]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_share(value: Any) -> bool:
    return _is_number(value) and (value == 0 or 1 <= value <= 100)


def _are_numbers(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return bool(items) and all(isinstance(item, int) and not isinstance(item, bool) for item in items)


def _find_scripts(
    mantids: str, script_dir: str | None, instrument: str | None, working_directory: Path
) -> dict[str, Path]:
    """Return where the scripts are, or would be: by the short name first, and by the other names where those exist."""
    short = _SHORT_NAMES.get(mantids.upper(), mantids)
    candidates = []
    for name in dict.fromkeys(filter(None, (short, mantids, instrument))):
        folder = working_directory / (script_dir or f"/SNS/{name}/shared/livereduce")
        candidates.append(
            {stage: folder / f"reduce_{name}_live_{word}.py" for stage, word in _STAGES.items()}
        )
    return next((each for each in candidates if any(path.exists() for path in each.values())), candidates[0])


def _import_mantid(values: Mapping[str, Any], name: str, mantids: str, document: Document) -> None:
    if name.upper() not in (mantids.upper(), _SHORT_NAMES.get(mantids.upper())):
        document.set(["mantid", "instrument"], mantids)
    # The service takes PIXI_ENV where both are given, and CONDA_ENV where there is no PIXI_ENV.
    kind, given = next(
        (
            (kind, values[key])
            for kind, key in (("pixi", "PIXI_ENV"), ("conda", "CONDA_ENV"))
            if values.get(key)
        ),
        ("pixi", ""),
    )
    environment = str(given or _DEFAULT_ENVIRONMENT).replace("-dev", "_dev").replace("-qa", "_qa")
    remark = "" if given == environment else "as livereduce calls it" if given else "livereduce's default"
    document.set(["mantid", "environment"], f"{kind}:{environment}", remark)
    if kind == "pixi" and values.get("CONDA_ENV"):
        document.leave_out("CONDA_ENV", "PIXI_ENV counts where both are given.")
    properties = ["mantid", "listener_properties"]
    for key, listeners in (("periods", "PeriodList"), ("spectra", "SpectraList")):
        if values.get(key) is not None:
            numbers = values[key] if isinstance(values[key], list) else [values[key]]
            document.set([*properties, listeners], numbers)


def _import_memory(values: Mapping[str, Any], document: Document) -> None:
    share = values.get("system_mem_limit_perc")
    if share is not None:
        limit, remark = (
            (f"{share:g}%", "near it livered sheds, at it livered begins anew") if share else (0, "no limit")
        )
        document.set(["limits", "memory"], limit, remark)


def _import_scripts(values: Mapping[str, Any], scripts: Mapping[str, Path], document: Document) -> None:
    table = ["plugins", "scripts"]
    found = [stage for stage, path in scripts.items() if path.exists()]
    if not found:
        document.remark(table, "Neither script is here. Where they are, make keys of these comments.")
        for stage, path in scripts.items():
            document.comment_out([*table, stage], str(path))
    for stage, path in scripts.items():
        if stage in found:
            document.set([*table, stage], str(path))
        elif found:
            document.comment_out([*table, stage], str(path), "there is no such file")
    set_or_comment = document.set if found else document.comment_out
    set_or_comment([*table, "accumulate"], str(values.get("accum_method") or "Add").lower())
    if values.get("preserve_events") is False:
        set_or_comment([*table, "preserve_events"], False, "the process script must rebin")
    document.remark(
        table,
        "When a script changes during a run, livereduce begins the run again. livered keeps what is accumulated; "
        'with when_changed = "restart" it begins the run again, too.',
    )


def _own_hooks(claimed: str, found: bool, document: Document) -> None:
    document.remark(
        ["hooks", "owner"], f"The scripts reduce, and not the plugin of {claimed} that is installed."
    )
    for hook in TRANSFORM_HOOKS:
        (document.set if found else document.comment_out)(["hooks", "owner", hook], "scripts")


def _leave_out(values: Mapping[str, Any], document: Document) -> None:
    why = {
        "mem_check_interval_sec": "livered looks at its memory once a second; see memory in [limits].",
        "watchdog": "livered watches the data themselves; see silence in [mantid].",
    }
    for key, reason in why.items():
        if key in values:
            document.leave_out(key, reason)
    leave_out_unknown(document, values, KEYS)
