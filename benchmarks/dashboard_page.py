"""The dashboard as a process and its page in a headless Chromium, for the benchmarks."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

WATCH = """() => {
    globalThis.seen = {};
    const mark = document.querySelector('[data-testid="updated-version"]');
    new MutationObserver(() => {
        const version = mark.textContent;
        requestAnimationFrame(() => requestAnimationFrame(() => {
            globalThis.seen[version] ??= performance.timeOrigin + performance.now();
        }));
    }).observe(mark, { childList: true, characterData: true, subtree: true });
}"""


@contextmanager
def dashboard_of(folder: Path) -> Iterator[str]:
    """Run the dashboard; gives its address."""
    environment = {**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder / "run")}
    arguments = [sys.executable, "-u", "-m", "livered_core", "dashboard", "--port", "0"]
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+/", process.stdout.readline())
        try:
            assert found is not None, "The dashboard does not say where it is."
            yield found[0]
        finally:
            process.terminate()


@contextmanager
def page_of(address: str) -> Iterator[tuple[Page, dict[str, int]]]:
    """Open the page; gives it, and bytes over the wire by path as they come in."""
    from playwright.sync_api import sync_playwright

    paths: dict[str, str] = {}
    wire: dict[str, int] = {}

    def answered(event: dict[str, Any]) -> None:
        paths[event["requestId"]] = "/" + event["response"]["url"].split("/", 3)[-1].partition("?")[0]

    def finished(event: dict[str, Any]) -> None:
        path = paths.get(event["requestId"], "")
        wire[path] = wire.get(path, 0) + int(event["encodedDataLength"])

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium())
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        watcher = page.context.new_cdp_session(page)
        watcher.send("Network.enable")
        watcher.on("Network.responseReceived", answered)
        watcher.on("Network.loadingFinished", finished)
        page.goto(address)
        page.wait_for_function("() => globalThis.livered?.drawnVersion > 0")
        page.evaluate(WATCH)
        yield page, wire
        browser.close()


def chromium() -> str | None:
    """Where Chromium is; None where there is none, or no playwright to lead it."""
    if importlib.util.find_spec("playwright") is None:
        return None
    return shutil.which(os.environ.get("LIVERED_CHROMIUM") or "chromium")
