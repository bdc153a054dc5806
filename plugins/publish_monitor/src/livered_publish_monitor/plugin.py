"""The sink ``publish_monitor``: when to post what, and where."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import ClassVar

import attrs

from livered_core import (
    PluginError,
    Receipt,
    Result,
    RunInfo,
    SessionInfo,
    SinkLater,
    SinkRejected,
    SinkUnavailable,
    Update,
    hookimpl,
)
from livered_core.clocks import Clock, SystemClock
from livered_publish_monitor.answers import Meaning, meaning_of, sentence_of
from livered_publish_monitor.credentials import read_credentials
from livered_publish_monitor.render import Page, PageTooLarge, Rendered, render
from livered_publish_monitor.settings import MonitorSettings, upload_url
from livered_publish_monitor.silence import Silence
from livered_publish_monitor.upload import LiveDataServer

_LOOK_AGAIN_S = 30.0
"""How often the login file is looked at while the server is not asked."""
_FINISHED_RUNS = 1000


@attrs.define(eq=False)
class PublishMonitorPlugin:
    """Post results to a live data server, where the facility's monitor shows them.

    Attributes
    ----------
    settings
        Where to, with which login, what and how often.
    clock
        Says how old the data are and when the last post was.
    """

    settings_class: ClassVar[type[MonitorSettings]] = MonitorSettings
    data_models: ClassVar[tuple[str, ...]] = ("native", "mantid")

    settings: MonitorSettings
    clock: Clock = attrs.field(factory=SystemClock)
    _server: LiveDataServer = attrs.field(init=False)
    _session: SessionInfo | None = attrs.field(default=None, init=False)
    _silence: Silence = attrs.field(init=False)
    _last_run: int = attrs.field(default=0, init=False)
    _last_post: float = attrs.field(default=0.0, init=False)
    _last_digest: str = attrs.field(default="", init=False)
    _finished: dict[tuple[int, int], None] = attrs.field(factory=dict, init=False)

    @_server.default
    def _make_server(self) -> LiveDataServer:
        return LiveDataServer(self.settings.timeout, self.settings.trust)

    @_silence.default
    def _make_silence(self) -> Silence:
        return Silence(self.clock)

    @hookimpl
    def session_started(self, session: SessionInfo) -> None:
        """Learn the versions that the page shows."""
        self._session = session

    @hookimpl
    def post_publish(self, result: Result, run: RunInfo, update: Update) -> Receipt | None:
        """Render a result and post it.

        Returns
        -------
        Receipt or None
            The address and the size of the page; None when there is nothing to post: a final result and
            `final` is false, a result after the final one, or one that shows what the last one showed.

        Raises
        ------
        SinkRejected
            When the server refuses this page, or it cannot be made small enough.
        SinkUnavailable
            When the server cannot be reached, is in trouble, refuses the login or is another program, or the login
            cannot be read.
        SinkLater
            When the last post was a short while ago, or the server has refused and is not asked again yet.
        """
        if _key(run) in self._finished:
            return None
        if update.final and not self.settings.final:
            self._finish(run)
            return None
        self._keep_the_interval(run, update)
        login = read_credentials(self.settings.credentials)
        left = self._silence.left(login, final=update.final)
        if left:
            raise SinkLater(min(left, _LOOK_AGAIN_S))
        url, page = self._address(run), self._render(result, run, update)
        if page.digest == self._last_digest:
            return None
        if not update.final and self._silence.was_refused(page.digest):
            raise SinkLater(_LOOK_AGAIN_S)
        answer = self._server.post(url, login, page.html)
        self._silence.note(answer, login, page.digest)
        meaning = meaning_of(answer)
        if meaning is not Meaning.TAKEN:
            refusal = SinkRejected if meaning is Meaning.PAGE else SinkUnavailable
            raise refusal(sentence_of(answer, url, str(self.settings.credentials)))
        self._last_run, self._last_post, self._last_digest = run.number, self.clock.monotonic(), page.digest
        if update.final:
            self._finish(run)
        return Receipt(where=url, when_ns=self.clock.now_ns(), size=len(page.html))

    @hookimpl
    def session_ended(self) -> None:
        """Close the connection."""
        self._server.close()

    def check(self) -> list[str]:
        """Say in sentences what is wrong with the login and the certificates, without asking anybody."""
        problems = []
        for read in (lambda: read_credentials(self.settings.credentials), self.settings.trust.context):
            try:
                read()
            except PluginError as error:
                problems.append(str(error))
        return problems

    def check_connection(self) -> list[str]:
        """Say in sentences what the server has against this sink; nothing is published.

        Sends the login without a page: the server answers 400 to a good one and 401 to a wrong one. Takes at
        most about the time set as `timeout`.
        """
        # The server looks at the login before it looks at instrument and run.
        url = upload_url(self.settings.url, "livered", 0)
        server = LiveDataServer(self.settings.timeout, self.settings.trust)
        try:
            answer = server.post(url, read_credentials(self.settings.credentials), None)
        except PluginError as error:
            return [str(error)]
        finally:
            server.close()
        if answer.status == 400:
            return []
        if meaning_of(answer) is not Meaning.TAKEN:
            return [sentence_of(answer, url, str(self.settings.credentials))]
        return [
            f"The server behind url answers {answer.status} to a post without a plot: it is no live data server."
        ]

    def _keep_the_interval(self, run: RunInfo, update: Update) -> None:
        if update.final or run.number != self._last_run:
            return
        left = self._last_post + self.settings.min_interval - self.clock.monotonic()
        if left > 0:
            raise SinkLater(left)

    def _address(self, run: RunInfo) -> str:
        try:
            return upload_url(self.settings.url, run.instrument, run.number)
        except ValueError as error:
            message = str(error)
        self._silence.note_refused("")
        raise SinkRejected(message)

    def _render(self, result: Result, run: RunInfo, update: Update) -> Rendered:
        settings = self.settings
        page = Page(
            max_points=settings.max_points,
            curves=settings.curves,
            versions=self._versions(),
            layout=settings.layout,
            images=settings.images,
            max_cells=settings.max_cells,
            max_bytes=settings.max_bytes,
        )
        try:
            return render(result, run, update, page, self.clock.now_ns())
        except PageTooLarge as error:
            message = (
                f"{error} That is more than max_bytes ({settings.max_bytes}): name fewer curves in curves."
            )
        self._silence.note_refused("")
        raise SinkRejected(message)

    def _finish(self, run: RunInfo) -> None:
        while len(self._finished) >= _FINISHED_RUNS:
            del self._finished[next(iter(self._finished))]
        self._finished[_key(run)] = None

    def _versions(self) -> Mapping[str, str]:
        if self._session is None:
            return {
                "livered-core": version("livered-core"),
                "livered-publish-monitor": version("livered-publish-monitor"),
            }
        return {"livered-core": self._session.livered_version, **self._session.plugins}


def _key(run: RunInfo) -> tuple[int, int]:
    """Tell runs apart; a simulation that begins again gives the same numbers."""
    return run.number, run.start_ns
