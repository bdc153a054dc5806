"""Plugins that do well and badly, to be tried."""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any

import attrs
import numpy as np

from livered_core import SKIP, BegunAnew, Chunk, Curve, Receipt, Result, RunInfo, Update, hookimpl

N = 512


def result(run: RunInfo, counts: Any, label: str = "counts") -> Result:
    return Result(
        run.number,
        run.title,
        [Curve(label, np.arange(len(counts)), counts, np.sqrt(counts), "pixel", "counts")],
    )


class Counts:
    @hookimpl
    def process_chunk(self, chunk: Chunk) -> Any:
        return np.bincount(chunk.events.pixel_id, minlength=N).astype(float)

    @hookimpl
    def post_process(self, accumulated: Any, run: RunInfo) -> Result:
        return result(run, accumulated)


class Wanders(Counts):
    @hookimpl
    def run_started(self) -> None:
        os.chdir("/")


class BeginsAnew(Counts):
    @hookimpl
    def accumulate(self, accumulated: Any, processed: Any, chunk: Chunk) -> Any:
        if chunk.sequence == 3:
            return BegunAnew(processed, "The detector was moved.")
        return processed if accumulated is None else accumulated + processed


class Interrupts(Counts):
    @hookimpl
    def process_chunk(self, chunk: Chunk) -> Any:
        raise KeyboardInterrupt


class ThirdFails(Counts):
    @hookimpl
    def process_chunk(self, chunk: Chunk) -> Any:
        if chunk.sequence == 3:
            message = "three is too much"
            raise ValueError(message)
        return super().process_chunk(chunk)


class AllFail:
    @hookimpl
    def process_chunk(self) -> Any:
        message = "no good"
        raise ValueError(message)


class SkipsFirst(Counts):
    @hookimpl
    def process_chunk(self, chunk: Chunk) -> Any:
        return SKIP if chunk.sequence == 1 else super().process_chunk(chunk)


class SkipsAll:
    @hookimpl
    def process_chunk(self) -> Any:
        return SKIP


class NoResult:
    @hookimpl
    def process_chunk(self) -> int:
        return 1


class NoCurve(Counts):
    @hookimpl
    def post_process(self, accumulated: Any, run: RunInfo) -> Result:
        return Result(run.number, run.title, [])


class OnlyNan(Counts):
    @hookimpl
    def post_process(self, accumulated: Any, run: RunInfo) -> Result:
        return result(run, accumulated * np.nan)


class Empty(Counts):
    @hookimpl
    def post_process(self, accumulated: Any, run: RunInfo) -> Result:
        return result(run, accumulated[:0])


class Warns(Counts):
    @hookimpl
    def post_process(self, accumulated: Any, run: RunInfo) -> Result:
        warnings.warn("careful", stacklevel=1)
        logging.getLogger(__name__).warning("run %d is odd", run.number)
        logging.getLogger("somebody.else").warning("as always")
        return result(run, accumulated)


@attrs.frozen
class ScaledSettings:
    factor: float = attrs.field(metadata={"help": "what counts are multiplied with", "unit": ""})


class Scaled(Counts):
    settings_class = ScaledSettings

    def __init__(self, settings: ScaledSettings) -> None:
        self.settings = settings

    @hookimpl
    def post_process(self, accumulated: Any, run: RunInfo) -> Result:
        return result(run, accumulated * self.settings.factor)


class Sink:
    @hookimpl
    def post_publish(self, run: RunInfo, update: Update) -> Receipt | None:
        return Receipt(f"nowhere, run {run.number}", 1, 0) if update.final else None


class BadSink:
    @hookimpl
    def post_publish(self) -> None:
        message = "nobody listens"
        raise OSError(message)


class Halves:
    @hookimpl(wrapper=True)
    def process_chunk(self) -> Any:
        processed = yield
        return processed


class Observer:
    @hookimpl
    def run_ended(self, run: RunInfo) -> None:
        pass


class Misspelt:
    @hookimpl
    def proces_chunk(self, chunk: Chunk) -> Any:
        return chunk


NOT_A_CLASS = 3
