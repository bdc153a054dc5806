"""A wrapper: chunks that were measured outside a range of temperature are left out."""

from collections.abc import Generator
from typing import Any

import attrs

from livered_core import SKIP, Chunk, hookimpl


@attrs.frozen
class GateSettings:
    """The table ``[plugins.temperature_gate]``."""

    lowest: float = attrs.field(metadata={"help": "lowest temperature that is taken", "unit": "K"})
    highest: float = attrs.field(metadata={"help": "highest temperature that is taken", "unit": "K"})
    log: str = attrs.field(default="SampleTemp", metadata={"help": "slow log to look at", "unit": ""})


@attrs.define(eq=False)
class TemperatureGate:
    settings_class = GateSettings

    settings: GateSettings

    @hookimpl(wrapper=True)
    def process_chunk(self, chunk: Chunk) -> Generator[None, Any, Any]:
        processed = yield  # here the owner of process_chunk is called
        name = self.settings.log
        if name not in chunk.logs:
            message = f"the stream has not said {name}: wait, or correct plugins.temperature_gate.log"
            raise LookupError(message)
        # The value that held when the chunk began, and those that came during it.
        kelvin = chunk.logs[name].value
        inside = self.settings.lowest <= kelvin.min() and kelvin.max() <= self.settings.highest
        return processed if inside else SKIP
