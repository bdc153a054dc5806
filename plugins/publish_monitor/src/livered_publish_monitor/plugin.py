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
    SinkRejected,
    Update,
    hookimpl,
)
from livered_core.clocks import Clock, SystemClock
from livered_publish_monitor.credentials import read_credentials
from livered_publish_monitor.render import Page, render_div
from livered_publish_monitor.settings import MonitorSettings, upload_url
from livered_publish_monitor.upload import LiveDataServer, raise_unless_taken


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
    _last_run: int = attrs.field(default=0, init=False)
    _last_post: float = attrs.field(default=0.0, init=False)
    _finished_run: int = attrs.field(default=0, init=False)

    @_server.default
    def _make_server(self) -> LiveDataServer:
        return LiveDataServer(self.settings.timeout, self.settings.ca_file)

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
            The address and the size of the page; None when nothing was due: a final result and `final` is
            false, or another result so soon after the last one of its run, or after the final one.

        Raises
        ------
        SinkRejected
            When the server refuses: login, address or page.
        SinkUnavailable
            When the server cannot be reached or is in trouble, or the login cannot be read.
        """
        if not self._is_due(run, update):
            return None
        try:
            url = upload_url(self.settings.url, run.instrument, run.number)
        except ValueError as error:
            raise SinkRejected(str(error)) from error
        credentials = read_credentials(self.settings.credentials_file)
        page = Page(self.settings.max_points, self.settings.curves, self._versions())
        html = render_div(result, run, update, page, self.clock.now_ns()).encode()
        answer = self._server.post(url, credentials, html)
        raise_unless_taken(answer, url, self.settings.credentials_file)
        self._last_run, self._last_post = run.number, self.clock.monotonic()
        if update.final:
            self._finished_run = run.number
        return Receipt(where=url, when_ns=self.clock.now_ns(), size=len(html))

    @hookimpl
    def session_ended(self) -> None:
        """Close the connection."""
        self._server.close()

    def check(self) -> list[str]:
        """Say in sentences what is wrong with the login file, without asking anybody."""
        try:
            read_credentials(self.settings.credentials_file)
        except PluginError as error:
            return [str(error)]
        return []

    def check_connection(self) -> list[str]:
        """Say in sentences what the server has against this sink; nothing is published.

        Sends the login without a page: the server answers 400 to a good one and 401 to a wrong one. Takes at
        most about the time set as `timeout`.
        """
        # The server looks at the login before it looks at instrument and run.
        url = upload_url(self.settings.url, "livered", 0)
        server = LiveDataServer(self.settings.timeout, self.settings.ca_file)
        try:
            answer = server.post(url, read_credentials(self.settings.credentials_file), None)
            if answer.status == 400:
                return []
            raise_unless_taken(answer, url, self.settings.credentials_file)
        except PluginError as error:
            return [str(error)]
        finally:
            server.close()
        return [
            f"The server behind url answers {answer.status} to a post without a plot: it is no live data server."
        ]

    def _is_due(self, run: RunInfo, update: Update) -> bool:
        if update.final:
            return self.settings.final
        if run.number == self._finished_run:
            return False
        too_soon = self.clock.monotonic() - self._last_post < self.settings.min_interval
        return not (run.number == self._last_run and too_soon)

    def _versions(self) -> Mapping[str, str]:
        if self._session is None:
            return {
                "livered-core": version("livered-core"),
                "livered-publish-monitor": version("livered-publish-monitor"),
            }
        return {"livered-core": self._session.livered_version, **self._session.plugins}
