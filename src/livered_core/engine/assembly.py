"""From what a session is to do to the objects that do it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

import attrs

from livered_core.chunking.position import StreamPosition
from livered_core.clocks import Clock
from livered_core.config import Config, run_directory, state_directory
from livered_core.engine.backend import choose_backend, mantid_source
from livered_core.engine.checkpointing import Checkpointing
from livered_core.engine.disk_watch import DiskWatch
from livered_core.engine.executors import Executor, open_executor
from livered_core.engine.executors.base import Client
from livered_core.engine.executors.order import OrderMaker
from livered_core.engine.fingerprint import fingerprint, in_force
from livered_core.engine.health import Health
from livered_core.engine.instance_lock import InstanceLock
from livered_core.engine.memory_advice import StartAdvice
from livered_core.engine.memory_guard import MemoryGuard
from livered_core.engine.native import native_source
from livered_core.engine.plugin_rows import PluginBook
from livered_core.engine.publishing import publish_worker
from livered_core.engine.reload import Reloader
from livered_core.engine.reload_setup import LoadAgain, make_reloader
from livered_core.engine.reporter import Reporter
from livered_core.engine.request import start_problem
from livered_core.engine.setup import LoadedConfiguration, make_plugins
from livered_core.engine.simulated import simulated_beamline
from livered_core.errors import ConfigError
from livered_core.hooks.calls import CallListener
from livered_core.hooks.dispatch import Dispatcher
from livered_core.hooks.elsewhere import elsewhere_problems
from livered_core.hooks.registry import LoadedPlugin
from livered_core.model import Result, RunInfo, SessionInfo, Update
from livered_core.publish.books import Books
from livered_core.publish.result_files import ResultFiles
from livered_core.publish.run_directory import RunDirectory
from livered_core.publish.worker import PublishWorker
from livered_core.recording import Recording
from livered_core.reduction.pipeline import Pipeline, PipelineSettings
from livered_core.reduction.underway import Blocks
from livered_core.simulator.process import SimulatorProcess
from livered_core.sources.base import Source

_OF_STOP: Final = 0.8
"""Blocks on workers have this share of the time that hooks have to come back when livered is asked to stop."""


def folder_name(instrument: str, *, simulate: bool, recorded: bool) -> str:
    """Return what folders of a session are called: beside the service of an instrument others may try things.

    Parameters
    ----------
    instrument
        Canonical name of the instrument.
    simulate, recorded
        Whether the data come from a simulated beamline, or from a recording.
    """
    if simulate:
        return f"{instrument}-simulated"
    return f"{instrument}-recorded" if recorded else instrument


@attrs.frozen(eq=False)
class Task:
    """What a session is to do.

    Attributes
    ----------
    loaded
        A checked configuration.
    simulate
        Whether to start a simulated beamline and to take data from it.
    recording
        A recording to take data from, in place of the stream.
    make_source
        Makes the source of chunks; None for that of the backend.
    environ
        For the places of folders.
    again
        Loads the configuration as at the start; None where nothing is taken up while the session runs.
    listener
        Is told of each call of a hook, on its thread; None where nobody listens.
    executor
        Where chunks are processed, that of whoever made it; None where the session makes the configured one.
    """

    loaded: LoadedConfiguration
    simulate: bool
    recording: Recording | None
    make_source: Callable[[Config, Clock], Source] | None
    environ: Mapping[str, str]
    again: LoadAgain | None
    listener: CallListener | None = None
    executor: Executor | None = None

    @property
    def name(self) -> str:
        """What runs, as folders are called, see `folder_name`."""
        return folder_name(
            self.loaded.config.instrument, simulate=self.simulate, recorded=self.recording is not None
        )

    @property
    def keeps_runs(self) -> bool:
        """Whether a run in hand would still be there for another session."""
        return self.recording is None and not self.simulate and self.make_source is None

    def state_folder(self) -> Path:
        """Make and return the folder of what must survive.

        Raises
        ------
        ConfigError
            When that cannot be.
        """
        return state_directory(self.name, self.environ)


@attrs.frozen(eq=False)
class Links:
    """What the parts of a session call it for.

    Attributes
    ----------
    stop
        Set when the session is to end.
    end
        Asks the session to end.
    publish
        Makes a result visible; on the reduction thread.
    health
        Gives a snapshot.
    mark
        Takes the place in the stream after each chunk; on the reduction thread.
    reloaded
        Gives the configuration of the plugins that run.
    """

    stop: threading.Event
    end: Callable[[], None]
    publish: Callable[[Result, RunInfo, Update], None]
    health: Callable[[], Health | None]
    mark: Callable[[StreamPosition], None]
    reloaded: Callable[[], LoadedConfiguration]


@attrs.frozen(eq=False)
class Parts:
    """The objects of a session; what is None is not wanted in it."""

    hooks: Dispatcher
    plugins: PluginBook
    worker: PublishWorker
    pipeline: Pipeline
    source: Source
    info: SessionInfo
    books: Books
    results: ResultFiles
    reporter: Reporter
    memory: MemoryGuard
    disks: DiskWatch
    checkpoints: Checkpointing | None
    instance: InstanceLock | None
    reloader: Reloader | None
    simulator: SimulatorProcess | None
    executor: Executor | None


def assemble(task: Task, clock: Clock, links: Links, session_id: str, stack: ExitStack) -> Parts:
    """Make the objects of a session.

    Parameters
    ----------
    task
        What it is to do.
    clock
        The clocks.
    links
        The session.
    session_id
        Its random text.
    stack
        Takes what must be closed at its end.

    Raises
    ------
    LiveredError
        When it cannot begin.
    StartCancelled
        When it was asked to end meanwhile.
    """
    config, live = task.loaded.config, task.recording is None
    problem = start_problem(config, clock.now_ns())
    if problem:
        raise ConfigError(problem)
    backend = choose_backend(config.backend, task.loaded.data_models, recorded=not live)
    plugins = make_plugins(task.loaded, backend)
    config, executor = _executor(task, config, plugins, backend, stack)
    make_folder = partial(run_directory, task.name, task.environ)
    folder = stack.enter_context(RunDirectory(make_folder(create=True), make_folder))
    instance = stack.enter_context(InstanceLock(task.state_folder, clock, links.stop)) if live else None
    memory = MemoryGuard(config, clock, task.state_folder if live else None, task.environ)
    advice = memory.begin()
    config = _advised(config, advice, live=live)
    simulator = None
    if task.simulate:
        simulator = stack.enter_context(simulated_beamline(task.loaded, config, links.stop))
        config = attrs.evolve(config, address=simulator.address)
    books = Books(folder, session_id, clock)
    results = ResultFiles(folder, books.runs)
    hooks = Dispatcher(plugins, config.hooks.owner, clock, books, task.listener)
    worker = publish_worker(config, hooks, results, books, clock, task.state_folder if live else None, stack)
    checkpoints = _checkpoints(task, config, backend, hooks, links, clock, advice)
    source = _source(
        task, config, backend, clock, links, () if checkpoints is None else checkpoints.published
    )
    info = SessionInfo(
        instrument=config.instrument,
        backend=backend,
        source=source.status().where,
        output_dir=str(config.output_dir),
        started_ns=clock.now_ns(),
        livered_version=version("livered-core"),
        plugins={plugin.name: plugin.version for plugin in plugins},
        live=live,
        stopping=links.stop.is_set,
        disk_free=config.limits.disk_free_bytes,
    )
    reloader = None
    if task.again is not None:
        reloader = make_reloader(hooks, task.loaded, task.again, info, clock, folder.path)
    from_start = live and (config.from_start_of_run or config.start_time is not None)
    pipeline = Pipeline(
        hooks,
        links.publish,
        links.end,
        clock,
        PipelineSettings(
            config.run_transition,
            config.hooks.max_consecutive_failures,
            lambda: from_start and getattr(source, "can_replay", True),
            advice.missing,
        ),
        checkpoints,
        reloader,
    )
    if executor is not None:
        now = (lambda: info) if reloader is None else (lambda: reloader.info)
        pipeline.process_on(_blocks(executor, links, hooks, now, clock, config, session_id))
    memory.attach(getattr(source, "resize", None), lambda: pipeline.state)
    reporter = Reporter(
        folder,
        books,
        links.health,
        (lambda: info) if reloader is None else (lambda: reloader.info),
        session_id,
        update_every_s=config.update_every,
        clock=clock,
    )
    disks = DiskWatch(
        config.output_dir, task.state_folder if live else None, config.limits.disk_free_bytes, clock
    )
    disks.start()
    stack.callback(disks.close)
    return Parts(
        hooks=hooks,
        plugins=PluginBook(hooks, links.reloaded, clock),
        worker=worker,
        pipeline=pipeline,
        source=source,
        info=info,
        books=books,
        results=results,
        reporter=reporter,
        memory=memory,
        disks=disks,
        checkpoints=checkpoints,
        instance=instance,
        reloader=reloader,
        simulator=simulator,
        executor=executor,
    )


def _executor(
    task: Task, config: Config, plugins: Sequence[LoadedPlugin], backend: str, stack: ExitStack
) -> tuple[Config, Executor | None]:
    """Return where chunks are processed, and the configuration with chunks that fit it."""
    if config.engine.executor == "single":
        return config, None
    problems = elsewhere_problems(plugins, config.hooks.owner, backend)
    if problems:
        raise ConfigError(problems)
    executor = task.executor or stack.enter_context(open_executor(config.engine))
    most = min(config.max_chunk_events, config.engine.block_events)
    return attrs.evolve(config, max_chunk_events=most), executor


def _blocks(
    executor: Executor,
    links: Links,
    hooks: Dispatcher,
    info: Callable[[], SessionInfo],
    clock: Clock,
    config: Config,
    session_id: str,
) -> Blocks:
    def now() -> Config:
        return links.reloaded().config

    make_order = OrderMaker(
        session_id,
        hooks,
        lambda: now().hooks.owner,
        lambda: now().plugins,
        info,
        same_machine=not config.engine.scheduler,
    )
    patience_s = _OF_STOP * config.hooks.stop_timeout
    return executor.blocks(Client(make_order, clock, links.stop.is_set, patience_s))


def _advised(config: Config, advice: StartAdvice, *, live: bool) -> Config:
    """Begin as carefully as earlier ends for want of memory make it wise."""
    config = attrs.evolve(
        config,
        max_chunk_events=advice.max_chunk_events,
        source=attrs.evolve(config.source, queue_events=advice.queue_events),
    )
    if advice.begin_from_now and live:
        config = attrs.evolve(config, from_start_of_run=False, start_time=None)
    return config


def _checkpoints(
    task: Task,
    config: Config,
    backend: str,
    hooks: Dispatcher,
    links: Links,
    clock: Clock,
    advice: StartAdvice,
) -> Checkpointing | None:
    """Make what keeps the run in hand; None where no other session could, or should, go on with it."""
    from_now = not config.from_start_of_run and not advice.begin_from_now
    if not task.keeps_runs or backend != "native" or from_now:
        return None
    checkpoints = Checkpointing(
        task.state_folder,
        config.checkpoint,
        lambda: fingerprint(in_force(task.loaded, links.reloaded()), hooks.plugins),
        lambda: hooks.plugins,
        clock,
    )
    checkpoints.load(use=not advice.begin_from_now)
    return checkpoints


def _source(
    task: Task,
    config: Config,
    backend: str,
    clock: Clock,
    links: Links,
    over: Iterable[tuple[int, int]],
) -> Source:
    if task.make_source is not None:
        return task.make_source(config, clock)
    if backend == "mantid":
        return mantid_source(config, clock)
    return native_source(config, clock, task.recording, mark=links.mark, over=over)
