"""A plugin's failure, attributed."""

from __future__ import annotations

import attrs


@attrs.frozen
class HookFailure:
    """A hook of a plugin raised, or returned what its contract does not allow.

    Attributes
    ----------
    plugin, version
        Name and version of the plugin that failed.
    hook
        Name of the hook.
    error
        Type and text of the exception, in one line.
    traceback
        For the log; never for the screen.
    chunk_sequence
        The chunk it failed on; None for hooks that get none.
    consecutive
        How often this hook has now failed without a success in between.
    """

    plugin: str
    version: str
    hook: str
    error: str
    traceback: str = attrs.field(repr=False)
    chunk_sequence: int | None
    consecutive: int

    @property
    def sentence(self) -> str:
        """The failure in one sentence."""
        where = f" on chunk {self.chunk_sequence}" if self.chunk_sequence is not None else ""
        again = f", {self.consecutive} times in a row" if self.consecutive > 1 else ""
        who = f"{self.plugin} {self.version}".strip()
        return f"Plugin {who} failed in {self.hook}{where}{again}: {self.error}"
