"""A session's hooks led by hand, as the pipeline leads them, with a plugin on disk that a test rewrites."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import attrs

from hooks_support import chunk, run_info, session_info, update
from livered_core.clocks import SystemClock
from livered_core.engine.reload import Reloader
from livered_core.engine.reload_request import take_request
from livered_core.engine.reload_setup import LoadAgain
from livered_core.engine.setup import make_plugins
from livered_core.hooks.boundary import Boundary, Swapped
from livered_core.hooks.dispatch import Dispatcher
from livered_core.hooks.markers import SKIP
from livered_core.model import HookFailure
from livered_support import private_environment

MODULE = "rel_plugin"
PLUGIN = """
    import attrs
    from livered_core import Curve, Result, hookimpl
    from rel_plugin.counts import Counts

    SCALE = 1
    calls = []


    @attrs.frozen
    class Settings:
        factor: int = 1


    @attrs.define(eq=False)
    class Instrument:
        settings_class = Settings
        settings: Settings

        def check(self):
            return []

        @hookimpl
        def session_started(self, session):
            calls.append("session_started")

        @hookimpl
        def run_started(self, run):
            calls.append("run_started")

        @hookimpl
        def run_ended(self, run, reason):
            calls.append(f"run_ended {reason.name}")

        @hookimpl
        def session_ended(self, session):
            calls.append("session_ended")

        @hookimpl
        def process_chunk(self, chunk):
            return Counts(chunk.n_events)

        @hookimpl
        def post_process(self, accumulated, run):
            y = float(SCALE * self.settings.factor * accumulated.total)
            return Result(run.number, run.title, [Curve("n", [0.0], [y], [0.0], "one", "counts")])
"""
COUNTS = """
    import attrs


    @attrs.frozen(eq=False)
    class Counts:
        total: int

        def __add__(self, other):
            if not isinstance(other, Counts):
                raise TypeError(f"{other!r} is none of my class")
            return Counts(self.total + other.total)
"""


@attrs.define(eq=False)
class Witnessed:
    """Keeps the failures that everyone is told of."""

    failures: list[HookFailure] = attrs.field(factory=list)

    def run_started(self, run): ...
    def run_ended(self, run, reason): ...

    def failed(self, failure, run):
        self.failures.append(failure)


class Led:
    """A session's hooks with a reloader; the test is its pipeline."""

    def __init__(self, folder: Path, install, config: str = "", **environ: str) -> None:
        modules = {
            f"{MODULE}/__init__.py": "",
            f"{MODULE}/plugin.py": PLUGIN,
            f"{MODULE}/counts.py": COUNTS,
            "rel_other.py": OTHER,
        }
        points = {
            "livered.instruments": [f"REL = {MODULE}.plugin:Instrument"],
            "livered.plugins": ["teller = rel_other:Teller", "sink = rel_other:Sink"],
        }
        site = install("livered-rel", modules, points)
        self.package = site / MODULE
        self.config_file = folder / "c.toml"
        self.config_file.write_text(config)
        formats = {"LIVERED_PLUGINS__FILES__FORMATS": '["text"]'}
        self.environ = private_environment(folder, **formats, **environ)
        again = LoadAgain("REL", self.config_file, {}, None, self.environ)
        loaded = again()
        self.clock = SystemClock()
        self.witness = Witnessed()
        self.hooks = Dispatcher(
            make_plugins(loaded, "native"), loaded.config.hooks.owner, self.clock, self.witness
        )
        self.stopping = False
        info = attrs.evolve(session_info(), instrument="REL", stopping=lambda: self.stopping)
        self.reloader = Reloader(
            self.hooks,
            loaded,
            again,
            again.files,
            info,
            self.clock,
            take_request=lambda: take_request(folder),
        )
        self.hooks.session_started(info)
        self.run: Any = None
        self.accumulated: Any = None
        self.newest: Any = None
        self.can_replay = False
        self.n_chunks = 0

    def write(self, text: str, name: str = "plugin.py") -> None:
        (self.package / name).write_text(textwrap.dedent(text))

    def begin_run(self) -> None:
        self.run, self.accumulated, self.newest = run_info(7), None, None
        self.hooks.run_started(self.run)

    def take(self, events: int = 10) -> None:
        """Reduce a chunk, as the pipeline does."""
        self.n_chunks += 1
        self.newest = chunk(self.n_chunks, events)
        processed = self.hooks.process_chunk(self.newest, self.run)
        if processed is not SKIP:
            self.accumulated = self.hooks.accumulate(self.accumulated, processed, self.newest, self.run)

    def curve(self) -> float:
        result = self.hooks.post_process(self.accumulated, self.run, update())
        assert result is not None
        return float(result.curves[0].y[0])

    def boundary(self) -> Boundary:
        if self.run is None:
            return Boundary()
        return Boundary(self.run, self.accumulated, self.newest, update(), self.can_replay)

    def reach(self) -> Swapped | None:
        """Be at the boundary of a chunk."""
        swapped = self.reloader.at_boundary(self.boundary())
        if swapped is not None:
            self.accumulated = swapped.accumulated
        return swapped

    def reload(self) -> Swapped | None:
        """Ask, and be at the boundary of a chunk."""
        self.reloader.ask("the test")
        return self.reach()

    @property
    def instrument(self) -> Any:
        return self.hooks.plugins[0].instance

    @property
    def state(self) -> str:
        return str(self.reloader.status()["state"])

    @property
    def sentence(self) -> str:
        return str(self.reloader.status()["sentence"])


OTHER = """
    import attrs
    from livered_core import Receipt, hookimpl


    @attrs.frozen
    class Settings:
        word: str = "a"


    @attrs.define(eq=False)
    class Teller:
        settings_class = Settings
        settings: Settings
        heard: list = attrs.field(factory=list, init=False)

        @hookimpl
        def on_error(self, failure):
            self.heard.append(failure.sentence)


    @attrs.define(eq=False)
    class Sink:
        settings_class = Settings
        settings: Settings

        @hookimpl
        def post_publish(self, result, run, update):
            return Receipt(self.settings.word, 0, 1)
"""
