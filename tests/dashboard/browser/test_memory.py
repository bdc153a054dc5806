"""What the page and its server need does not grow with the number of updates."""

from __future__ import annotations

import pytest

from browser_page import dashboard, wait_for_version
from browser_support import watched_page
from livered_support import private_environment
from written_engine import written_engine

MEGABYTE = 1 << 20
WARM_UP = 6


FRAMES = (
    "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 100))))"
)


def measure(page, session, shown):
    """Return bytes of scripts' objects, bytes of their buffers, nodes, listeners, and bytes of the server."""
    seen = []
    # The least: what follows a drawing may not have ended, and what is found dead may hold other things.
    for _ in range(4):
        page.evaluate(FRAMES)
        session.send("HeapProfiler.collectGarbage")
        heap = session.send("Runtime.getHeapUsage")
        counts = session.send("Memory.getDOMCounters")
        seen.append(
            (
                heap["usedSize"] + heap["embedderHeapUsedSize"],
                heap["backingStorageSize"],
                counts["nodes"],
                counts["jsEventListeners"],
                shown.resident_bytes(),
            )
        )
    return tuple(map(min, zip(*seen, strict=True)))


@pytest.mark.parametrize("updates", [15, pytest.param(1000, marks=pytest.mark.slow)])
def test_nothing_grows_over_many_updates(tmp_path, browser, updates):
    environment = private_environment(tmp_path)
    with (
        written_engine(tmp_path, n_banks=6, n_points=6000) as engine,
        dashboard(tmp_path, environment) as shown,
        watched_page(browser, shown.origin) as watched,
    ):
        page = watched.page
        page.goto(shown.url)
        session = page.context.new_cdp_session(page)
        session.send("HeapProfiler.enable")
        engine.begin_run(7, "a long one")

        def update(times: int) -> None:
            for _ in range(times):
                engine.publish(scale=1.0 + engine.version % 7)
                wait_for_version(page, engine.version)

        update(WARM_UP)
        heap, buffers, nodes, listeners, server = measure(page, session, shown)
        update(updates)
        later = measure(page, session, shown)
        print(f"after {updates} updates: {later}, before: {(heap, buffers, nodes, listeners, server)}")
        # 6 banks of 6000 points are 1 MB as numbers: what is kept of each update would be many times these bounds.
        assert later[0] - heap < 8 * MEGABYTE
        assert later[1] - buffers < 8 * MEGABYTE
        assert later[2] - nodes < 200
        assert later[3] - listeners < 50
        assert later[4] - server < 16 * MEGABYTE
        assert page.evaluate("globalThis.livered.draws") >= updates
