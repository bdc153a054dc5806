"""The dashboard as a process, and its page as a test reads it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING, Any

import attrs

from livered_support import started
from waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

_CURVES = """() => Array.from(document.querySelectorAll('[data-testid="panel"] .js-plotly-plot')).flatMap((plot) =>
    plot.data.map((trace) => ({
        panel: plot.closest('[data-testid="panel"]').dataset.panel,
        name: trace.name, visible: trace.visible ?? true, x: Array.from(trace.x), y: Array.from(trace.y) })))"""


@attrs.define(eq=False)
class Dashboard:
    """A running ``livered dashboard``."""

    process: Popen[str]
    said: list[str] = attrs.field(factory=list)

    @property
    def text(self) -> str:
        return "".join(self.said)

    @property
    def url(self) -> str:
        """Where it says that the page is, with whatever belongs to it."""
        found = re.search(r"https?://\S+", self.text)
        assert found is not None, self.text
        return found[0].rstrip(".,;")

    @property
    def origin(self) -> str:
        found = re.match(r"https?://[^/]+", self.url)
        assert found is not None
        return found[0]

    @property
    def port(self) -> int:
        return int(self.origin.rpartition(":")[2])

    def resident_bytes(self) -> int:
        """Memory of the process that is in use now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024


@contextmanager
def dashboard(folder: Path, environment: Mapping[str, str], *arguments: object) -> Iterator[Dashboard]:
    """Run the dashboard on a free port, or on that of the arguments, and wait until it says where it is."""
    port = () if "--port" in arguments else ("--port", 0)
    with started(folder, "dashboard", *port, *arguments, environment=environment) as process:
        found = Dashboard(process)
        stdout = process.stdout
        assert stdout is not None
        reader = threading.Thread(target=lambda: found.said.extend(iter(stdout.readline, "")), daemon=True)
        reader.start()
        until(lambda: re.search(r"https?://\S+\s", found.text) or process.poll() is not None)
        yield found
        process.kill()
        reader.join()


def part(page: Page, name: str) -> Locator:
    """Find what has a test id."""
    return page.locator(f'[data-testid="{name}"]')


def wait_for_state(page: Page, word: str) -> None:
    """Wait until the page shows a state."""
    from playwright.sync_api import TimeoutError as TooLate

    try:
        page.wait_for_selector(f'[data-testid="state"][data-word="{word}"]')
    except TooLate:
        shown = part(page, "state").inner_text()
        message = f"waited for {word!r}, and the page shows {shown!r}"
        raise AssertionError(message) from None


def drawn_version(page: Page) -> int:
    """Version of the result that is drawn; 0 before the first."""
    return int(page.evaluate("globalThis.livered?.drawnVersion ?? 0"))


def wait_for_version(page: Page, version: int) -> None:
    """Wait until the page has drawn a version, or a later one."""
    page.wait_for_function("(version) => (globalThis.livered?.drawnVersion ?? 0) >= version", arg=version)


def curves(page: Page) -> list[dict[str, Any]]:
    """All curves in the panels: ``panel``, ``name``, ``visible``, ``x`` and ``y``."""
    found: list[dict[str, Any]] = page.evaluate(_CURVES)
    return found


def curve(page: Page, name: str) -> dict[str, Any]:
    """The curve with a name that begins so."""
    (found,) = [item for item in curves(page) if item["name"].startswith(name)]
    return found
