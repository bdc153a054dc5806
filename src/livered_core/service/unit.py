"""The unit of systemd that runs livered for one instrument, as a text.

systemd reads paths and arguments by its own rules, which are not those of a shell: see systemd.syntax(7),
systemd.unit(5) on specifiers, and systemd.service(5) on command lines.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from livered_core.errors import ConfigError

MARKER: Final = (
    "# Written by `livered service install`, which writes it anew; changes of your own belong in a drop-in."
)
"""First line of a unit that livered may overwrite and remove."""

_ABORT_S: Final = 30
"""Seconds that a process which gets on no more has to write its stacks, before it is killed."""
# Control characters, and what stands for bytes that are no UTF-8: systemd passes over lines with either.
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_ESCAPED: Final = {"\\": "\\\\", '"': '\\"', "%": "%%", "$": "$$", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_OWN_SECTION: Final = "X-Livered"
"""systemd passes over sections whose names begin with ``X-``; here livered keeps what `installed` reads back."""
_TEXT: Final = """\
{marker}
# Yours to add: {name}.d/*.conf, for example with `systemctl --user edit {name}`.

[Unit]
Description=livered, live data reduction of {instrument}
# Home folders are shared between machines: this one only.
ConditionHost={host}
StartLimitIntervalSec=8640
StartLimitBurst=1000

[Service]
Type=notify
# livered gives signs of life as long as its work goes on; else it is ended and started anew.
WatchdogSec={watchdog}
WorkingDirectory={folder}
# It says in the journal all that is wrong, and does not decide: a failed ExecStartPre would be tried again for ever.
ExecStartPre=-{check}
ExecStart={run}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=10
# Exit code 2: the configuration is wrong, and trying again does not help.
RestartPreventExitStatus=2
KillMode=mixed
TimeoutStartSec=300
TimeoutStopSec={stop}
# What does not get on writes where it hangs (SIGABRT); no core, which would be gigabytes of somebody's data.
TimeoutStartFailureMode=abort
TimeoutStopFailureMode=abort
TimeoutAbortSec={abort}
LimitCORE=0
# When memory is short the kernel ends one process, and not the dashboard and the reduction together.
OOMPolicy=continue
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
SystemCallArchitectures=native
{more}
[Install]
WantedBy=default.target

[{own}]
Version={version}
Config={config}
"""


@attrs.frozen
class ServiceUnit:
    """A service that runs livered for one instrument.

    Attributes
    ----------
    instrument
        Short name.
    python
        Absolute path of the interpreter in which livered is installed.
    module
        Arguments with which it runs livered; see `livered_core.interpreter.module_arguments`.
    host
        Name of the only machine on which it runs.
    working_directory
        Absolute path of the folder where it runs, and where ``livereduce.log`` goes.
    check, run
        Arguments of ``livered``, from the command's name on.
    stop_timeout
        Seconds that everything together may take to stop.
    watchdog
        Seconds without a sign of life after which systemd ends it; 0 for never.
    memory_max
        Most memory, as systemd writes it; empty for no limit.
    cores
        Most CPU time, in cores; 0 for no limit.
    credentials
        Name and absolute path of each file that systemd hands over.
    config
        Absolute path of the configuration file that was given; empty for none.
    version
        Version of livered that writes it.
    """

    instrument: str
    python: Path
    module: tuple[str, ...]
    host: str
    working_directory: Path
    check: tuple[str, ...]
    run: tuple[str, ...]
    stop_timeout: float
    watchdog: float = 900.0
    memory_max: str = ""
    cores: float = 0.0
    credentials: tuple[tuple[str, Path], ...] = ()
    config: str = ""
    version: str = ""

    @property
    def name(self) -> str:
        """Name of the unit: ``livered-nom.service``."""
        return unit_name(self.instrument)


def unit_name(instrument: str) -> str:
    """Give the name of an instrument's unit: ``livered-nom.service``."""
    return f"livered-{instrument.lower()}.service"


def unit_text(unit: ServiceUnit) -> str:
    """Write a unit.

    Raises
    ------
    ConfigError
        When a path is one that systemd cannot take.
    """
    return _TEXT.format(
        marker=MARKER,
        name=unit.name,
        instrument=unit.instrument,
        host=unit.host.replace("%", "%%"),
        folder=path_text(unit.working_directory),
        check=command_line(unit.python, (*unit.module, *unit.check)),
        run=command_line(unit.python, (*unit.module, *unit.run)),
        watchdog=f"{unit.watchdog:g}",
        stop=math.ceil(unit.stop_timeout),
        abort=_ABORT_S,
        more="".join(f"{line}\n" for line in _limits_and_credentials(unit)),
        own=_OWN_SECTION,
        version=unit.version,
        config=json.dumps(unit.config),
    )


def _limits_and_credentials(unit: ServiceUnit) -> Iterator[str]:
    if unit.memory_max:
        yield f"MemoryMax={unit.memory_max}"
    if unit.cores:
        threads = math.ceil(unit.cores)
        yield f"CPUQuota={max(1, round(100 * unit.cores))}%"
        # Libraries count the machine's cores, and would begin threads that wait for each other.
        yield f"Environment=OMP_NUM_THREADS={threads} NUMBA_NUM_THREADS={threads}"
    for name, path in unit.credentials:
        yield f"LoadCredential={name}:{path_text(path)}"


def command_line(program: Path, arguments: tuple[str, ...]) -> str:
    """Write a program and its arguments for ``ExecStart=``.

    Raises
    ------
    ConfigError
        When systemd does not run a program with such a path.
    """
    return " ".join([program_word(program), *map(argument_word, arguments)])


def program_word(program: Path) -> str:
    """Write the path of a program, in which systemd replaces specifiers but no variables.

    Raises
    ------
    ConfigError
        When it holds a quotation mark, a backslash or a control character, or is not absolute.
    """
    text = str(program)
    if not program.is_absolute() or re.search(r"[\"'\\]", text) or _CONTROL.search(text):
        message = (
            f"systemd does not run a program with the path {text!r}: "
            "it must be absolute, without quotation marks, backslashes and control characters; move the environment."
        )
        raise ConfigError(message)
    return '"' + text.replace("%", "%%") + '"'


def argument_word(argument: str) -> str:
    """Write one argument of a program, so that systemd hands over just these characters.

    Raises
    ------
    ConfigError
        When it holds a control character that is neither tabulator nor end of line.
    """
    if _CONTROL.search(argument.translate({9: None, 10: None, 13: None})):
        message = (
            f"systemd takes no argument with control characters, such as {argument!r}: use another name."
        )
        raise ConfigError(message)
    if re.fullmatch(r"[A-Za-z0-9_./:=@+,-]+", argument):
        return argument
    return '"' + "".join(_ESCAPED.get(character, character) for character in argument) + '"'


def path_text(path: Path) -> str:
    """Write a path for settings that take the rest of the line as it stands but for specifiers.

    Raises
    ------
    ConfigError
        When it is not absolute, or systemd would read another name.
    """
    text = str(path)
    if not path.is_absolute() or _CONTROL.search(text) or text != text.strip() or text.endswith("\\"):
        message = (
            f"systemd cannot take the path {text!r}: it must be absolute, without control characters, "
            "and end neither with a blank nor a backslash; choose another."
        )
        raise ConfigError(message)
    return text.replace("%", "%%")
