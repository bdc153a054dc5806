"""NOMAD's simulated run, from the beamline's bytes to what is in the browser and on the disk."""

from __future__ import annotations

import numpy as np
import pytest

from browser_page import curve, curves, dashboard, drawn_version, part, wait_for_state, wait_for_version
from browser_support import watched_page
from livered_core.diffraction import DIAMOND_A, cubic_reflections, nearest_reflection
from livered_support import private_environment, started

CONFIG = """
update_every = 0.5
[simulate]
run_length = 5.0
rate = 400000.0
run_number = 4711
title = "Diamond <b>bold</b>"
[plugins.files]
formats = ["nexus", "text"]
"""
RUN = ("run", "--instrument", "NOM", "--simulate", "--plain", "--stop-after-run", "--config", "c.toml")


@pytest.mark.slow
def test_diamond_grows_in_the_browser_and_its_files_can_be_fetched(tmp_path, browser):
    (tmp_path / "c.toml").write_text(CONFIG)
    environment = private_environment(tmp_path)
    with dashboard(tmp_path, environment) as shown, watched_page(browser, shown.origin) as watched:
        # The page may be there before the engine is.
        page = watched.page
        page.goto(shown.url)
        with started(tmp_path, *RUN, environment=environment) as engine:
            wait_for_state(page, "live")
            wait_for_version(page, 1)
            version = drawn_version(page)
            few = sum(value for value in curve(page, "bank 5")["y"] if value)
            wait_for_version(page, version + 2)
            assert part(page, "run-number").inner_text() == "4711"
            assert part(page, "run-title").inner_text() == "Diamond <b>bold</b>"
            screen, _ = engine.communicate(timeout=60)
            assert engine.returncode == 0, screen
        wait_for_state(page, "stopped")
        banks = [item for item in curves(page) if item["name"].startswith("bank")]
        assert len(banks) == 6
        assert few > 0
        reflections = cubic_reflections(DIAMOND_A, "diamond", 0.3, 3.0)
        for bank in banks:
            y = np.array([value or 0.0 for value in bank["y"]])
            d = bank["x"][int(np.argmax(y))]
            assert d == pytest.approx(nearest_reflection(d, reflections).d, rel=1.5e-2), bank["name"]
        row = part(page, "run-row").first
        assert row.get_attribute("data-run") == "4711"
        links = row.locator("a[href]")
        names = [link.split("/")[-1] for link in links.evaluate_all("all => all.map((one) => one.href)")]
        assert "NOM_4711.h5" in names
        with page.expect_download() as waiting:
            links.nth(names.index("NOM_4711.h5")).click()
        fetched = waiting.value.path().read_bytes()
        assert fetched == next((tmp_path / "output").rglob("NOM_4711.h5")).read_bytes()
        assert all(url.startswith(f"{shown.origin}/") for url in watched.requests if url.startswith("http"))
