"""How a session stands to its limits, in one noun: the key ``limits`` of ``status.json``."""

from __future__ import annotations

from typing import Any

import attrs

from livered_core.engine.disk_watch import DiskStatus
from livered_core.engine.memory_advice import size
from livered_core.engine.memory_guard import MemoryStatus
from livered_core.engine.memory_watch import MemoryLevel


@attrs.frozen
class LimitsStatus:
    """A snapshot.

    Attributes
    ----------
    memory, disk
        How much memory is used, and how much room there is on disks.
    """

    memory: MemoryStatus = attrs.field(factory=MemoryStatus)
    disk: DiskStatus = attrs.field(factory=DiskStatus)

    @property
    def problems(self) -> tuple[str, ...]:
        """One sentence for each thing that is short; empty when nothing is."""
        memory = self.memory
        short: tuple[str, ...] = ()
        if memory.level in (MemoryLevel.SHEDDING.value, MemoryLevel.OVER.value):
            done = "caches are dropped, and chunks and queue are smaller"
            short = (f"Memory is short ({size(memory.used)} of {size(memory.limit)}): {done}.",)
        if memory.begun_with:
            short = (*short, memory.begun_with)
        return (*short, *self.disk.problems)


def limits_as_dict(limits: LimitsStatus) -> dict[str, Any]:
    """Return a snapshot as plain numbers and texts, as ``status.json`` has it."""
    disk = attrs.asdict(limits.disk)
    disk.pop("problems")
    return {"memory": attrs.asdict(limits.memory), "disk": disk, "problems": list(limits.problems)}
