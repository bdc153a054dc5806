"""Going on in the Python of another environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from livered_core.cli.echo import say
from livered_core.config import Merged
from livered_core.engine.activation import activated, is_activated
from livered_core.engine.environment import Environment, find_environment
from livered_core.engine.environment_choice import (
    named_environment,
    unchecked_configuration,
    wanted_by,
)
from livered_core.engine.installed import Installed, Wanted, another_version, ask_installed, missing
from livered_core.errors import ConfigError
from livered_core.interpreter import module_arguments

_HANDED_OVER: Final = "IN_LIVERED_ENVIRONMENT"
"""Variable that names the environment to which livered was handed over, until it has arrived there."""
_BACKENDS: Final = ("auto", "mantid")
"""Backends that want the environment of ``[mantid]`` without being asked for it with ``--env``."""


def hand_over(
    option: str | None, instrument: str | None, config_file: Path | None, flags: Mapping[str, Any]
) -> None:
    """Go on in the environment that ``--env`` or the configuration names, where this is another one.

    Does not return then: the process runs the same command with the other Python, under the same process id and in
    the same working directory, with the variables of the activated environment. Returns where no environment is
    named, where livered runs in it already, and where the configuration wants the native backend and nothing asks
    for an environment with ``--env``.

    Parameters
    ----------
    option
        What ``--env`` gave: None where it was not given, `CONFIGURED` where it was given without a name.
    instrument, config_file, flags
        Of the command line, as for `livered_core.engine.setup.load_configuration`.

    Raises
    ------
    ConfigError
        When there is no such environment, it cannot be activated, or livered or a plugin is not installed there.
    """
    # Taken away at once: processes that are started from here are not on their way to anywhere.
    sent_to = os.environ.pop(_HANDED_OVER, None)
    if sent_to is not None:
        _see_that_it_arrived(Path(sent_to))
        return
    merged = unchecked_configuration(instrument, config_file, flags, os.environ)
    environment = chosen_environment(option, merged)
    if environment is None:
        return
    if is_here(environment.prefix) and is_activated(environment, os.environ):
        return
    _go(environment, wanted_by(merged), sys.argv[1:])


def chosen_environment(option: str | None, merged: Merged) -> Environment | None:
    """Give the environment that ``--env`` or the configuration chooses; None for the Python that runs now.

    Parameters
    ----------
    option
        What ``--env`` gave; see `hand_over`.
    merged
        The configuration. Its own environment counts without the option unless its backend is ``native``.

    Raises
    ------
    ConfigError
        When there is no such environment, or ``--env`` asks for that of the configuration and it names none.
    """
    if option:
        return find_environment(option, os.environ)
    if option is None and merged.values.get("backend", "auto") not in _BACKENDS:
        return None
    environment = named_environment(merged, os.environ)
    if environment is None and option is not None:
        message = (
            "--env without a name means the environment of the configuration, and it names none: "
            'give one with --env conda:NAME, or set environment = "conda:NAME" in [mantid].'
        )
        raise ConfigError(message)
    return environment


def see_what_is_missing(environment: Environment, variables: Mapping[str, str], wanted: Wanted) -> Installed:
    """Raise where livered or a wanted plugin is missing in an environment; say where livered is another version.

    Parameters
    ----------
    environment
        The environment.
    variables
        Those of the activated environment.
    wanted
        What the configuration wants.

    Returns
    -------
    Installed
        What is there.

    Raises
    ------
    ConfigError
        With a sentence for each thing that is missing.
    """
    installed = ask_installed(environment, variables)
    problems = missing(environment, installed, wanted)
    if problems:
        raise ConfigError(problems)
    other = another_version(environment, installed)
    if other is not None:
        say(f"livered: {other}", err=True)
    return installed


def is_here(prefix: Path) -> bool:
    """Say whether the Python that runs now is that of an environment."""
    return os.path.realpath(sys.prefix) == os.path.realpath(prefix)


def _see_that_it_arrived(prefix: Path) -> None:
    """Raise where the environment's Python is that of another one: it would be handed over for ever."""
    if not is_here(prefix):
        message = (
            f"The Python of the environment {prefix} says that it is that of {sys.prefix}: "
            "repair the environment, or name another."
        )
        raise ConfigError(message)


def _go(environment: Environment, wanted: Wanted, arguments: Sequence[str]) -> None:
    variables = activated(environment, os.environ)
    installed = see_what_is_missing(environment, variables, wanted)
    python = str(environment.python)
    there = tuple(map(int, installed.python.split(".")))
    command = [python, *module_arguments("livered_core", there), *arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(python, command, {**variables, _HANDED_OVER: str(environment.prefix)})  # noqa: S606
    except OSError as error:
        message = f"{python} cannot be run ({error.strerror}): repair the environment, or name another."
        raise ConfigError(message) from None
