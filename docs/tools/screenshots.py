"""Make the pictures of the dashboard: a simulated run, the real page, and a headless Chromium.

python docs/tools/screenshots.py [FOLDER]

Without FOLDER they go to docs/pictures. Needs playwright and Chromium (Debian's package, or what $LIVERED_CHROMIUM names).
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import livered_nom
from livered_core.config.simulate import SimulateConfig
from livered_core.simulator.beamline import build_beamline
from livered_core.simulator.stream import emissions

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Page

UPDATES = 8
LARGEST_BYTES = 400_000
WAIT_MS = 180_000
PICTURES: dict[str, dict[str, Any]] = {
    "dashboard.png": {"viewport": {"width": 1600, "height": 1000}, "color_scheme": "light"},
    "dashboard-dark.png": {"viewport": {"width": 1600, "height": 1000}, "color_scheme": "dark"},
    "dashboard-phone.png": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}
CONFIG = """
update_every = 2.0

[simulate]
sample = "silicon"
total_scattering = true
title = "Silicon powder, 300 K (simulated)"
proposal = "IPTS-0"
run_number = 4711
n_runs = 0
run_length = 25.0
gap = 2.0
rate = 400000.0
ramp = 2.0

[plugins.nom.references]
vanadium = "vanadium.adara"

[plugins.nom.total_scattering]
composition = "Si"
"""


def main() -> None:
    """Write the pictures into a folder."""
    pictures = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "pictures"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "c.toml").write_text(CONFIG, encoding="utf-8")
        _write_vanadium(folder / "vanadium.adara")
        run = ("run", "--instrument", "NOM", "--simulate", "--plain", "--config", "c.toml")
        with _livered(folder, *run), _livered(folder, "dashboard", "--port", "0") as said:
            _take(_address(said), pictures)


def _write_vanadium(path: Path) -> None:
    """Record the simulated vanadium, as fast as the machine can."""
    idf = Path(livered_nom.__file__).with_name("simulated_instrument.xml")
    config = SimulateConfig(idf=idf, sample="vanadium", run_length=40.0, rate=400_000.0, speed=0.0)
    played = emissions(build_beamline(config, "NOM"), 1_790_000_000_000_000_000)
    with path.open("wb") as file:
        for emission in itertools.takewhile(lambda emission: not emission.idle, played):
            file.write(emission.data)


@contextmanager
def _livered(folder: Path, *arguments: str) -> Iterator[list[str]]:
    """Run livered with a home of its own; gives the lines that it says, as they come."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LIVERED_", "XDG_"))}
    (folder / "run").mkdir(mode=0o700, exist_ok=True)
    with subprocess.Popen(  # noqa: S603  (our own program)
        [sys.executable, "-u", "-m", "livered_core", *arguments],
        cwd=folder,
        env={**kept, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder / "run")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        lines: list[str] = []
        assert process.stdout is not None
        reader = threading.Thread(target=lines.extend, args=(iter(process.stdout.readline, ""),), daemon=True)
        reader.start()
        try:
            yield lines
        finally:
            process.terminate()
            process.wait()
            reader.join()


def _address(said: list[str]) -> str:
    """Wait until the dashboard says where it is."""
    pause = threading.Event()
    for _ in range(600):
        found = re.search(r"https?://\S+(?=\s)", "".join(said))
        if found is not None:
            return found[0].rstrip(".,;")
        pause.wait(0.1)
    message = f"The dashboard does not say where it is: {''.join(said)}"
    raise RuntimeError(message)


def _take(address: str, pictures: Path) -> None:
    from playwright.sync_api import sync_playwright

    executable = shutil.which(os.environ.get("LIVERED_CHROMIUM") or "chromium")
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=executable) as browser:
        for number, (name, options) in enumerate(PICTURES.items()):
            with browser.new_context(**options) as context:
                page = context.new_page()
                page.set_default_timeout(WAIT_MS)
                page.goto(address)
                _wait(page, compare=number == 0)
                page.screenshot(path=pictures / name, full_page=True, clip=_seen(page))
            size = (pictures / name).stat().st_size
            if size > LARGEST_BYTES:
                message = f"{pictures / name} has {size} bytes: show less."
                raise RuntimeError(message)


def _seen(page: Page) -> FloatRect:
    """Give the part of the page to show: down to the end of the second row of curves, or what the screen shows."""
    size = page.viewport_size
    second = page.locator('[data-testid="panel"]').nth(1).bounding_box()
    assert size is not None
    assert second is not None
    bottom = round(second["y"] + second["height"]) + 12
    height = bottom if size["height"] < bottom < 1.3 * size["height"] else size["height"]
    return {"x": 0, "y": 0, "width": size["width"], "height": height}


def _wait(page: Page, *, compare: bool) -> None:
    """Wait for G(r) of a second run, and for some updates of it."""
    page.wait_for_function(
        """([updates, compare]) => document.querySelectorAll('[data-testid="run-row"]').length >= (compare ? 2 : 1)
            && globalThis.livered.drawnVersion >= updates""",
        arg=[UPDATES, compare],
    )
    drawn = page.evaluate("globalThis.livered.drawnVersion")
    page.wait_for_function("(version) => globalThis.livered.drawnVersion >= version", arg=drawn + 3)


if __name__ == "__main__":
    main()
