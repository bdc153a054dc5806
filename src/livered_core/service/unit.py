"""The unit of systemd that runs livered for one instrument, as a text.

systemd reads paths and arguments by its own rules, which are not those of a shell: see systemd.syntax(7),
systemd.unit(5) on specifiers, and systemd.service(5) on command lines.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Final

import attrs

from livered_core.errors import ConfigError

MARKER: Final = (
    "# Written by `livered service install`, which writes it anew; changes of your own belong in a drop-in."
)
"""First line of a unit that livered may overwrite and remove."""

_MARGIN_S: Final = 30.0
"""Seconds that livered has to stop beyond those that Mantid and the sinks may take."""
_WATCHDOG_S: Final = 900
"""No chunk, and no update, should take so many seconds."""
# Control characters, and what stands for bytes that are no UTF-8: systemd passes over lines with either.
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_ESCAPED: Final = {"\\": "\\\\", '"': '\\"', "%": "%%", "$": "$$", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
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
Restart=always
RestartSec=10
# Exit code 2: the configuration is wrong, and trying again does not help.
RestartPreventExitStatus=2
KillMode=mixed
TimeoutStartSec=300
TimeoutStopSec={stop}

[Install]
WantedBy=default.target
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
    host
        Name of the only machine on which it runs.
    working_directory
        Absolute path of the folder where it runs, and where ``livereduce.log`` goes.
    check, run
        Arguments of ``livered``, from the command's name on.
    stop_timeout
        Seconds that Mantid and the sinks together may take to stop.
    """

    instrument: str
    python: Path
    host: str
    working_directory: Path
    check: tuple[str, ...]
    run: tuple[str, ...]
    stop_timeout: float

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
        folder=folder_word(unit.working_directory),
        check=command_line(unit.python, ("-m", "livered_core", *unit.check)),
        run=command_line(unit.python, ("-m", "livered_core", *unit.run)),
        watchdog=_WATCHDOG_S,
        stop=math.ceil(unit.stop_timeout + _MARGIN_S),
    )


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


def folder_word(folder: Path) -> str:
    """Write a folder for ``WorkingDirectory=``, which takes the rest of the line as it stands but for specifiers.

    Raises
    ------
    ConfigError
        When it is not absolute, or systemd would read another name.
    """
    text = str(folder)
    if not folder.is_absolute() or _CONTROL.search(text) or text != text.strip() or text.endswith("\\"):
        message = (
            f"systemd cannot work in the folder {text!r}: it must be absolute, without control characters, "
            "and end neither with a blank nor a backslash; install from another folder."
        )
        raise ConfigError(message)
    return text.replace("%", "%%")
