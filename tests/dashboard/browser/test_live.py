"""A real engine and a real page: what is seen while a run begins, rests, fails and ends."""

from __future__ import annotations

import json
import signal
import statistics
from pathlib import Path

import pytest

from browser_page import curve, curves, dashboard, drawn_version, part, wait_for_state, wait_for_version
from led_beamline import N_BINS, engine_environment, led_beamline
from livered_support import started
from waiting import until

NASTY = '</script><script>alert(1)</script><img src=x onerror=alert(2)> $\\frac{1}{2}$ & "quoted"'


@pytest.fixture
def scene(tmp_path):
    """A led beamline, an engine that reduces it, and a dashboard."""
    environment = engine_environment(tmp_path)
    with led_beamline(7, NASTY) as beamline:
        run = ("run", "-i", "TST", "--address", beamline.address, "--plain")
        with (
            started(tmp_path, *run, environment=environment) as engine,
            dashboard(tmp_path, environment) as shown,
        ):
            yield beamline, engine, shown, tmp_path


def latest(folder):
    return json.loads((folder / "run" / "livered" / "TST" / "latest.json").read_text())


def test_the_page_follows_a_run_from_its_first_curve_to_the_end_of_the_session(scene, open_page):
    beamline, engine, shown, folder = scene
    page = open_page(shown.url).page
    wait_for_state(page, "live")
    wait_for_version(page, 2)
    first = curve(page, "bank 1")
    assert len(first["x"]) == N_BINS + 1
    assert sum(first["y"]) > 0
    late = []
    for _ in range(6):
        newest = latest(folder)
        wait_for_version(page, newest["version"])
        # Drawn was this one or, where the page has left it out, a later one.
        late.append(page.evaluate("globalThis.livered.drawnAt") / 1e3 - newest["published_ns"] / 1e9)
        version = newest["version"]
        until(lambda version=version: latest(folder)["version"] > version)
    # The median: a busy machine is not a failure.
    assert 0.0 < statistics.median(late) < 1.0
    assert sum(curve(page, "bank 1")["y"]) > sum(first["y"])
    beamline.pause()
    wait_for_state(page, "paused")
    beamline.resume()
    wait_for_state(page, "live")
    beamline.beam = False
    wait_for_state(page, "no beam")
    beamline.beam = True
    wait_for_state(page, "live")
    beamline.end_run()
    wait_for_state(page, "between runs")
    assert len(curves(page)) == 3
    beamline.begin_run(8, "the next")
    wait_for_state(page, "live")
    page.wait_for_selector('[data-testid="run-number"]:text-is("8")')
    assert part(page, "run-title").inner_text() == "the next"
    engine.send_signal(signal.SIGTERM)
    wait_for_state(page, "stopped")
    assert part(page, "state").get_attribute("data-kind") != "good"


@pytest.mark.slow
def test_the_page_tells_a_lost_dashboard_from_an_engine_that_hangs_or_was_killed(scene, open_page):
    _, engine, shown, folder = scene
    watched = open_page(shown.url)
    page = watched.page
    wait_for_version(page, 2)
    engine.send_signal(signal.SIGSTOP)
    # The age of the data goes on, whoever is silent.
    ages = set()
    until(lambda: ages.add(part(page, "data-age").inner_text()) or len(ages) >= 3)
    watched.allow("ERR_CONNECTION|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE")
    shown.process.kill()
    part(page, "connection-lost").wait_for(state="visible")
    wait_for_state(page, "stale")
    assert "lost its dashboard" in part(page, "state-sentence").inner_text()
    assert curves(page)
    ages.clear()
    until(lambda: ages.add(part(page, "data-age").inner_text()) or len(ages) >= 2)
    with dashboard(folder, engine_environment(folder), "--port", shown.port):
        part(page, "connection-lost").wait_for(state="hidden")
        wait_for_state(page, "stale")
        assert "last sign of life" in part(page, "state-sentence").inner_text()
        assert part(page, "event-rate").inner_text() == "\u2013", "a rate of then is none of now"
        version = drawn_version(page)
        engine.send_signal(signal.SIGCONT)
        wait_for_state(page, "live")
        wait_for_version(page, version + 1)
        engine.kill()
        wait_for_state(page, "stopped")
        assert part(page, "state").get_attribute("data-kind") == "bad"
        assert curves(page)
        ages.clear()
        until(lambda: ages.add(part(page, "data-age").inner_text()) or len(ages) >= 2)
        page.close()


def test_text_of_the_beamline_stays_text_and_failures_are_shown_with_their_tracebacks(scene, open_page):
    beamline, engine, shown, folder = scene
    page = open_page(shown.url).page
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    wait_for_version(page, 1)
    beamline.end_run()
    wait_for_state(page, "between runs")
    beamline.begin_run(8, NASTY)
    wait_for_state(page, "live")
    page.wait_for_selector('[data-testid="compare-select"] option[value="7"]', state="attached")
    part(page, "compare-select").select_option("7")
    with page.expect_download() as waiting:
        part(page, "download-text").click()
    assert f"# run title: {NASTY}\n" in Path(waiting.value.path()).read_text()
    (folder / "break").touch()
    failure = part(page, "failure").first
    failure.wait_for()
    failure.locator("summary").click()
    # It fails with each chunk, five times in all; what was opened stays open.
    page.wait_for_function(
        """() => document.querySelector('[data-testid="failure"]').textContent.includes('5 in a row')"""
    )
    for name in ("run-title", "runs", "failures", "statistics"):
        assert NASTY in part(page, name).text_content(), name
    # Where there is little room, the end is left out.
    for name in ("compare-select", "logs", "panel", "image-panel"):
        assert "<script>alert(1)</script><img" in part(page, name).last.text_content(), name
    assert page.locator("img, [onerror]").count() == 0
    assert page.locator("script").evaluate_all("all => all.map((one) => new URL(one.src).pathname)") == [
        "/static/main.js",
        "/plotly.js",
    ]
    text = page.locator('[data-testid="failure"][open]').inner_text()
    assert "Traceback (most recent call last)" in text
    assert 'raise ValueError("a detector is upside down: <img src=x onerror=alert(1)>' in text
    engine.wait()
    wait_for_state(page, "failed")
    assert NASTY in part(page, "state-sentence").inner_text() + part(page, "notice-engine").inner_text()
