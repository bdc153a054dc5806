"""Make the picture of the terminal: run the demonstration and keep what its screen shows after a while.

python docs/tools/capture_demo.py docs/pictures/demo.svg
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from livered_core.cli.view import render
from livered_core.clocks import SystemClock
from livered_core.engine.event_rate import EventRate
from livered_core.engine.session import Session
from livered_core.engine.setup import load_configuration, simulated_defaults

UPDATES = 15
WIDTH = 112


def capture(picture: Path) -> None:
    """Run the simulated beamline until a few updates have been made, and write the screen as an SVG picture."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {"HOME": folder, "LIVERED_OUTPUT_DIR": folder}
        loaded = load_configuration("NOM", None, {}, environment, defaults=simulated_defaults())
        clock = SystemClock()
        session = Session(loaded, clock, simulate=True, environ=environment)
        rate = EventRate()
        screens = []

        def watch() -> None:
            health = session.health()
            if health is not None:
                screens.append(render(health, rate.update(clock.monotonic(), health.source.counts["events"])))
                if health.n_updates >= UPDATES:
                    session.stop()

        session.run(watch)
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True)
        console.print(screens[-2])
        svg = console.export_svg(
            title="livered run --instrument NOM --simulate --stop-after-run", unique_id="demo"
        )
    # The picture is looked at without network: no fonts from elsewhere.
    picture.write_text(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL))


if __name__ == "__main__":
    capture(Path(sys.argv[1]))
