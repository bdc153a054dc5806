"""One Chromium for the tests of a file, and watched pages in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from browser_support import Watched, chromium, watched_page, why_no_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser

OpenPage = Callable[..., Watched]


# Not for the session: while playwright runs, no other test on this thread could use asyncio.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    missing = why_no_browser()
    if missing:
        pytest.skip(missing)
    with chromium() as running:
        yield running


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Open a page of a dashboard; at the end of the test it must have done nothing wrong."""
    with ExitStack() as stack:

        def open_page(url: str, **options: Any) -> Watched:
            origin = "/".join(url.split("/")[:3])
            watched = stack.enter_context(watched_page(browser, origin, **options))
            watched.page.goto(url)
            return watched

        yield open_page
