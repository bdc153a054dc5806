"""A headless Chromium, and pages in it that are watched for whatever a page must not do."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

ARGUMENTS = (
    # No name is looked up, so that nothing leaves this machine, whoever asks.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
    # For the tests that look at memory.
    "--enable-precise-memory-info",
)
WAIT_MS = 20_000
"""A limit that only a failure reaches."""

_WATCH_POLICY = """
    globalThis.policyViolations = [];
    document.addEventListener("securitypolicyviolation", (event) =>
        globalThis.policyViolations.push(
            `${event.violatedDirective} ${event.blockedURI} ${event.sample} ${event.sourceFile}`));
"""
# plotly brings a style sheet for maps, which the page does without.
_KNOWN = (
    re.compile(r"^error: Applying inline style violates .* http://[^ ]*/plotly\.js$", re.DOTALL),
    re.compile(r"^style-src-elem inline [^ ]* http://[^ ]*/plotly\.js$"),
)


def find_chromium() -> str | None:
    """Where Chromium is: ``$LIVERED_CHROMIUM``, or what is called chromium here, as Debian's package is."""
    return shutil.which(os.environ.get("LIVERED_CHROMIUM") or "chromium")


def why_no_browser() -> str:
    """Say in a sentence why there is no browser to test with; empty when there is one."""
    if importlib.util.find_spec("playwright") is None:
        return "needs playwright: pip install playwright"
    if find_chromium() is None:
        return "needs Chromium: apt install chromium, or set LIVERED_CHROMIUM"
    return ""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium without a window, and end it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@attrs.define(eq=False, slots=False)
class Watched:
    """A page, and what it did.

    Attributes
    ----------
    page
        The page.
    origin
        The only place that it may ask.
    requests
        Every address that it asked for.
    complaints
        What went wrong: errors on the console or in a script, and requests to elsewhere.
    """

    page: Page
    origin: str
    requests: list[str] = attrs.field(factory=list)
    complaints: list[str] = attrs.field(factory=list)
    _allowed: list[re.Pattern[str]] = attrs.field(factory=lambda: list(_KNOWN))

    def allow(self, pattern: str) -> None:
        """Expect complaints of a kind, for example while there is no server."""
        self._allowed.append(re.compile(pattern))

    def check(self) -> None:
        """Fail when the page did what it must not do."""
        if not self.page.is_closed():
            self.complaints += self.page.evaluate("globalThis.policyViolations ?? []")
        left = [text for text in self.complaints if not any(p.search(text) for p in self._allowed)]
        assert not left, left

    def on_request(self, request: Request) -> None:
        self.requests.append(request.url)
        if re.match("https?:|wss?:", request.url) and not request.url.startswith(f"{self.origin}/"):
            self.complaints.append(f"asked {request.url}")

    def on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text} {message.location.get('url', '')}")

    def on_error(self, error: Any) -> None:
        self.complaints.append(f"in a script: {error}")


@contextmanager
def watched_page(browser: Browser, origin: str, **options: Any) -> Iterator[Watched]:
    """Open a page in a context of its own; at the end it must have done nothing that it must not do.

    Parameters
    ----------
    browser
        From `chromium`.
    origin
        The only place that it may ask, as ``http://127.0.0.1:8080``.
    options
        Of the context: ``viewport``, ``color_scheme``, ...
    """
    given = {"viewport": {"width": 1400, "height": 900}, "locale": "en-GB", "reduced_motion": "reduce"}
    with browser.new_context(**{**given, **options}) as context:
        context.set_default_timeout(WAIT_MS)
        context.add_init_script(_WATCH_POLICY)
        page = context.new_page()
        watched = Watched(page, origin)
        context.on("request", watched.on_request)
        page.on("console", watched.on_console)
        page.on("pageerror", watched.on_error)
        yield watched
        watched.check()
