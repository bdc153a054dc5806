"""What is installed in an environment: livered, the plugins that are wanted, and Mantid.

One run of the environment's Python tells it; nothing of the environment is imported here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

import attrs

from livered_core.engine.activation import activated
from livered_core.engine.brief import TookTooLong, run_briefly
from livered_core.engine.environment import Environment, manifest_of
from livered_core.errors import ConfigError
from livered_core.hooks.registry import BUILT_IN, INSTRUMENTS, PLUGINS
from livered_core.interpreter import WITHOUT_FOLDER

TIMEOUT_S: Final = 120.0
"""Seconds that the environment's Python has; Mantid from a folder on another machine takes its time to import."""

_OLDEST: Final = (3, 10)
_MARK: Final = "livered-answer "
# It runs in a Python of unknown age: nothing newer than 3.6 before the version is told.
_QUESTION: Final = """
{first}
import json, sys
def tell(**what):
    print({mark!r} + json.dumps(what), flush=True)
tell(python=list(sys.version_info[:3]))
if sys.version_info >= {oldest!r}:
    from importlib.metadata import PackageNotFoundError, entry_points, version
    try:
        tell(livered=version("livered-core"))
    except PackageNotFoundError:
        pass
    for group in {groups!r}:
        found = dict()
        for point in entry_points(group=group):
            found[point.name] = [point.dist.name, point.dist.version] if point.dist else ["", ""]
        tell(**dict([(group, found)]))
if {mantid!r}:
    try:
        import mantid
        tell(mantid=str(mantid.__version__))
    except BaseException as error:
        tell(mantid_error=type(error).__name__ + ": " + str(error))
"""


@attrs.frozen
class Wanted:
    """What a configuration wants to have installed beside livered-core.

    Attributes
    ----------
    instrument
        The instrument whose plugin is wanted.
    plugins
        Names of other plugins, as in ``[plugins.<name>]``.
    distributions
        The instrument, and names of plugins, to the distribution that provides them, as far as it is known here.
    """

    instrument: str
    plugins: tuple[str, ...] = ()
    distributions: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Installed:
    """What an environment's Python told.

    Attributes
    ----------
    python
        Its version: ``3.11.7``.
    livered
        Version of livered-core; None where it is not installed.
    instruments, plugins
        Name of each plugin to its distribution and version; instruments in lower case.
    mantid
        Mantid's version; None where it was not asked for, or does not import.
    mantid_error
        Why Mantid does not import; empty where it does, or was not asked for.
    """

    python: str
    livered: str | None
    instruments: Mapping[str, tuple[str, str]]
    plugins: Mapping[str, tuple[str, str]]
    mantid: str | None
    mantid_error: str


def ask_installed(
    environment: Environment, environ: Mapping[str, str], *, with_mantid: bool = False
) -> Installed:
    """Let an environment's Python tell what is installed there.

    Parameters
    ----------
    environment
        The environment.
    environ
        Its variables, activated; see `livered_core.engine.activation.activated`.
    with_mantid
        Whether it imports Mantid to tell the version, which takes seconds.

    Raises
    ------
    ConfigError
        When its Python cannot be run, does not answer in time, or is too old.
    """
    question = _QUESTION.format(
        first=WITHOUT_FOLDER,
        mark=_MARK,
        oldest=_OLDEST,
        groups=(INSTRUMENTS, PLUGINS),
        mantid=with_mantid,
    )
    try:
        done = run_briefly([str(environment.python), "-c", question], environ, TIMEOUT_S)
    except TookTooLong:
        message = (
            f"{environment.python} did not answer within {TIMEOUT_S:g} s: see whether it runs by itself."
        )
        raise ConfigError(message) from None
    except OSError as error:
        message = (
            f"{environment.python} cannot be run ({error.strerror}): repair the environment, or name another."
        )
        raise ConfigError(message) from None
    told = _told(done.output)
    if "python" not in told:
        message = (
            f"{environment.python} does not work (status {done.status}: {done.last_words or 'it said nothing'}): "
            "repair the environment, or name another."
        )
        raise ConfigError(message)
    python = ".".join(map(str, told["python"]))
    if tuple(told["python"]) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        message = f"The environment {environment} has Python {python}, and livered needs {oldest} or newer: name another."
        raise ConfigError(message)
    mantid, error_text = told.get("mantid"), told.get("mantid_error", "")
    if with_mantid and mantid is None and not error_text:
        error_text = f"Python ended with status {done.status}" + (
            f", and said: {done.last_words}" if done.last_words else ""
        )
    instruments = {name.lower(): (dist, ver) for name, (dist, ver) in told.get(INSTRUMENTS, {}).items()}
    plugins = {name: (dist, ver) for name, (dist, ver) in told.get(PLUGINS, {}).items()}
    return Installed(python, told.get("livered"), instruments, plugins, mantid, error_text)


def missing(environment: Environment, installed: Installed, wanted: Wanted) -> list[str]:
    """Say what is wanted and not installed in an environment.

    Returns
    -------
    list of str
        One sentence for each, with what to type; empty when all is there.
    """
    absent = [] if installed.livered is not None else [("livered-core", "livered-core")]
    # An instrument that nobody claims may be reduced by another plugin: there it is seen whether one does.
    claimed = wanted.instrument in wanted.distributions or not wanted.plugins
    if claimed and wanted.instrument.lower() not in installed.instruments:
        absent.append((f"The plugin of {wanted.instrument}", wanted.distributions.get(wanted.instrument, "")))
    # The table of the instrument's own plugin bears the instrument's name; livered-core brings the built-in ones.
    present = {*installed.plugins, *installed.instruments, wanted.instrument.lower(), *BUILT_IN}
    absent += [
        (f"Plugin {name!r}", wanted.distributions.get(name, ""))
        for name in wanted.plugins
        if name not in present
    ]
    return [
        f"{what} is not installed in the environment {environment}: {_remedy(environment, distribution)}"
        for what, distribution in absent
    ]


def another_version(environment: Environment, installed: Installed) -> str | None:
    """Say that livered is of another version in an environment than here; None when it is the same."""
    here = version("livered-core")
    if installed.livered in (None, here):
        return None
    return f"livered is version {installed.livered} in the environment {environment}, and {here} here; {installed.livered} runs."


def environment_report(
    environment: Environment, wanted: Wanted, environ: Mapping[str, str]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Say what is in an environment, for ``livered check``.

    Parameters
    ----------
    environment
        The environment.
    wanted
        What the configuration wants to have there.
    environ
        The variables now, not activated.

    Returns
    -------
    lines
        What to tell, as pairs of a short name and a text.
    problems
        One sentence for each thing that is wrong.
    """
    lines = [("environment", str(environment))]
    try:
        installed = ask_installed(environment, activated(environment, environ), with_mantid=True)
    except ConfigError as error:
        return lines, list(error.problems)
    lines.append(("python", f"{installed.python} ({environment.python})"))
    problems = []
    if installed.mantid is not None:
        lines.append(("mantid", f"{installed.mantid}, in the environment"))
    else:
        problems.append(
            f"Mantid does not import in the environment {environment} ({installed.mantid_error}): "
            "install it there, or name another environment."
        )
    if installed.livered is not None:
        lines.append(("livered", f"{installed.livered}, in the environment"))
        other = another_version(environment, installed)
        lines += [("livered", other)] if other else []
    for name, (distribution, ver) in _there(installed, wanted):
        lines.append(("plugin", f"{name} ({distribution} {ver}), in the environment"))
    return lines, problems + missing(environment, installed, wanted)


def _there(installed: Installed, wanted: Wanted) -> Sequence[tuple[str, tuple[str, str]]]:
    """Give the wanted plugins that are there, the instrument's first."""
    names = [name for name in wanted.plugins if name in installed.plugins]
    found = [(name, installed.plugins[name]) for name in names]
    own = installed.instruments.get(wanted.instrument.lower())
    return found if own is None else [(wanted.instrument, own), *found]


def _remedy(environment: Environment, distribution: str) -> str:
    """Say what to type to have a distribution in an environment."""
    name = distribution or "PACKAGE"
    does = "installs it" if distribution else "installs the package that provides it"
    manifest = None if environment.workspace is None else manifest_of(environment.workspace)
    if manifest is not None and os.access(manifest, os.W_OK):
        return f"`pixi add --manifest-path {manifest} --pypi {name}` {does}."
    if os.access(environment.prefix, os.W_OK):
        return f"`{environment.python} -m pip install {name}` {does}."
    return (
        "it belongs to someone else, so make one of your own on top of it with "
        f"`{environment.python} -m venv --system-site-packages ~/livered-env`, name that instead, and "
        f"`~/livered-env/bin/python -m pip install {name}` {does}."
    )


def _told(output: bytes) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for line in output.decode("utf-8", "replace").splitlines():
        if line.startswith(_MARK):
            told.update(json.loads(line[len(_MARK) :]))
    return told
