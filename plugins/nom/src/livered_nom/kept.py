"""What the reduction of a run depends on beside its counts: kept with a checkpoint, and compared when a run goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import attrs

from livered_core import InstrumentDefinition, SlowLog
from livered_core.diffraction import Calibration


class NotedLogs(Mapping[str, SlowLog]):
    """Logs that note which of them are asked for.

    Parameters
    ----------
    logs
        All of them.
    """

    def __init__(self, logs: Mapping[str, SlowLog]) -> None:
        self._logs = logs
        self._asked: set[str] = set()

    def __getitem__(self, name: str) -> SlowLog:
        log = self._logs[name]
        self._asked.add(name)
        return log

    def __contains__(self, name: object) -> bool:
        return name in self._logs

    def __iter__(self) -> Iterator[str]:
        return iter(self._logs)

    def __len__(self) -> int:
        return len(self._logs)

    def asked(self) -> dict[str, SlowLog]:
        """Return those that were asked for."""
        return {name: self._logs[name] for name in sorted(self._asked)}


@attrs.frozen(eq=False)
class PreparedFrom:
    """What a run was prepared from.

    Attributes
    ----------
    definition
        Where the pixels are.
    logs
        Those that say where something is, or which references are meant, as they were.
    references
        What the files of references are: role to path and what changes with their content.
    """

    definition: InstrumentDefinition
    logs: Mapping[str, SlowLog]
    references: Mapping[str, str]


@attrs.frozen(eq=False)
class KeptRun:
    """What the plugin keeps of a run in hand.

    Attributes
    ----------
    calibration
        Digest of the calibration in use; empty where there is none.
    logged_formula
        What the logs said of the sample's composition.
    prepared
        What the run was prepared from; None before its first chunk.
    """

    calibration: str
    logged_formula: str
    prepared: PreparedFrom | None


def calibration_digest(calibration: Calibration) -> str:
    """Return the SHA-256 of the numbers of a calibration, hexadecimal."""
    digest = hashlib.sha256()
    for column in (
        calibration.detid,
        calibration.difc,
        calibration.difa,
        calibration.tzero,
        calibration.group,
        calibration.use,
    ):
        digest.update(f"{column.dtype.str} {column.shape} ".encode("ascii"))
        digest.update(column.tobytes())
    return digest.hexdigest()
