"""What a reader has chosen stays when a new result comes; runs are compared; what is shown can be taken away."""

from __future__ import annotations

import base64
import json
import shutil
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from browser_page import curve, curves, dashboard, part, wait_for_state, wait_for_version
from browser_support import watched_page
from livered_support import private_environment
from written_engine import hook_row, plugin_row, written_engine

AXES = """() => Array.from(document.querySelectorAll('[data-testid="panel"]')).map((panel) => {
    const layout = panel.querySelector(".js-plotly-plot")._fullLayout;
    return { panel: panel.dataset.panel, x: layout.xaxis.range, y: layout.yaxis.range,
             type: layout.yaxis.type, title: layout.xaxis.title.text }; })"""

TITLES = """() => Array.from(document.querySelectorAll('[data-testid="panel"] .js-plotly-plot'))
    .map((plot) => plot._fullLayout.yaxis.title.text)"""

NAMES = """() => Array.from(document.querySelectorAll('[data-testid="panel"] .js-plotly-plot'))
    .flatMap((plot) => plot.data.map((trace) => trace.name))"""

PIXELS = """async ([text, inks]) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    const counts = inks.map(() => 0);
    for (let i = 0; i < data.length; i += 4)
        inks.forEach((ink, k) => { if (ink.every((value, c) => Math.abs(value - data[i + c]) < 12)) counts[k] += 1; });
    return [image.width, counts]; }"""


def axes(page, index=0):
    return page.evaluate(AXES)[index]


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A dashboard of a folder of its own."""
    folder = tmp_path_factory.mktemp("view")
    with dashboard(folder, private_environment(folder)) as shown:
        yield folder, shown


@pytest.fixture
def scene(shown, browser):
    """An engine whose results the test writes, and the page with its first result drawn."""
    folder, server = shown
    shutil.rmtree(folder / "run" / "livered", ignore_errors=True)
    with written_engine(folder) as engine, watched_page(browser, server.origin) as watched:
        engine.begin_run(7, "the first")
        engine.publish(scale=1.0)
        watched.page.goto(server.url)
        wait_for_version(watched.page, engine.version)
        yield engine, watched.page


def update(engine, page, scale):
    engine.publish(scale=scale)
    wait_for_version(page, engine.version)


def drag(page, panel, begin, end):
    """Drag over a panel's plot, with places as parts of its width and height."""
    box = panel.locator(".nsewdrag").first.bounding_box()
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in (begin, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=5)
    page.mouse.up()


def test_zoom_survives_updates_and_goes_by_itself(scene):
    engine, page = scene
    before = axes(page)
    drag(page, part(page, "panel").first, (0.3, 0.2), (0.6, 0.8))
    page.wait_for_function(f"(whole) => ({AXES})()[0].x[0] !== whole[0]", arg=before["x"])
    zoomed = axes(page)
    assert zoomed["x"][1] - zoomed["x"][0] < 0.5 * (before["x"][1] - before["x"][0])
    other = axes(page, 1)
    for scale in (2.0, 50.0):
        update(engine, page, scale)
        assert axes(page)["x"] == zoomed["x"]
        assert axes(page)["y"] == zoomed["y"]
    assert axes(page, 1)["panel"] == other["panel"]
    # What nobody has zoomed follows the data.
    assert axes(page, 1)["y"][1] > other["y"][1]
    box = part(page, "panel").first.locator(".nsewdrag").first.bounding_box()
    page.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function(f"(zoomed) => ({AXES})()[0].x[0] !== zoomed[0]", arg=zoomed["x"])
    assert axes(page)["x"] == before["x"]
    update(engine, page, 500.0)
    assert axes(page)["y"][1] > zoomed["y"][1]


def test_a_curve_that_was_switched_off_and_a_logarithmic_scale_stay(scene):
    engine, page = scene
    assert [item["name"] for item in curves(page)] == ["bank 1", "bank 2", "S(Q)"]
    part(page, "curve-toggle").first.uncheck()
    page.wait_for_function(f"() => ({NAMES})().length === 2")
    for scale in (2.0, 3.0):
        update(engine, page, scale)
        assert [item["name"] for item in curves(page)] == ["bank 2", "S(Q)"]
        assert not part(page, "curve-toggle").first.is_checked()
    page.reload()
    wait_for_version(page, engine.version)
    assert [item["name"] for item in curves(page)] == ["bank 2", "S(Q)"]
    part(page, "curve-toggle").first.check()
    page.wait_for_function(f"() => ({NAMES})().length === 3")
    assert axes(page)["type"] == "linear"
    part(page, "scale-toggle").first.click()
    page.wait_for_function(f"() => ({AXES})()[0].type === 'log'")
    update(engine, page, 3.0)
    assert axes(page)["type"] == "log"
    part(page, "scale-toggle").first.click()
    page.wait_for_function(f"() => ({AXES})()[0].type === 'linear'")


HISTORY = """() => {
    const plot = document.querySelector('[data-testid="history"] .js-plotly-plot');
    if (!plot?._fullLayout || plot.data[0].x.length < 5) return null;
    const { xaxis } = plot._fullLayout;
    const shade = plot.querySelector(".shapelayer path").getBoundingClientRect();
    const area = plot.querySelector(".nsewdrag").getBoundingClientRect();
    return { begin: xaxis.range[0], title: xaxis.title.text,
             shade: [(shade.left - area.left) / area.width, (shade.right - area.left) / area.width] }; }"""


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_the_history_is_in_the_time_of_the_reader(shown, browser, zone):
    folder, server = shown
    shutil.rmtree(folder / "run" / "livered", ignore_errors=True)
    begin = 1795950000
    phases = ["live", "live", "paused", "paused", "live"]
    history = {"format": 2, "every_s": 10, "time_ns": [(begin + 10 * i) * 10**9 for i in range(5)]}
    history |= {"event_rate": [1.0] * 5, "lag_s": [0.5] * 5, "phase": phases}
    with written_engine(folder) as engine, watched_page(browser, server.origin, timezone_id=zone) as watched:
        engine.begin_run(7, "the first")
        engine.publish(scale=1.0)
        engine.directory.replace("history.json", [json.dumps(history)])
        watched.page.goto(server.url)
        found = watched.page.wait_for_function(HISTORY).json_value()
    local = datetime.fromtimestamp(begin, ZoneInfo(zone))
    assert found["begin"].startswith(f"{local:%Y-%m-%d %H:%M}"), found
    # Shaded from the third of five samples to the last.
    assert found["shade"] == pytest.approx([0.5, 1.0], abs=0.02)


def test_a_run_that_was_broken_off_is_not_called_complete(scene):
    engine, page = scene
    assert part(page, "completeness").inner_text().startswith("Complete so far")
    page.wait_for_function(
        """() => document.querySelector('[data-testid="runs"]').textContent.includes('going on')"""
    )
    engine.phase = "stopped"
    engine.write_status()
    wait_for_state(page, "stopped")
    assert part(page, "completeness").get_attribute("data-complete") == "unknown"
    assert part(page, "completeness").inner_text().startswith("Not final: nothing was missing")
    row = part(page, "runs").inner_text()
    assert "not final, livered ended before it" in row
    assert "going on" not in row


def test_a_screen_that_is_put_up_before_its_instrument_waits_for_it(scene, browser):
    """The page neither shows another instrument in its place nor forgets what was asked for."""
    _, page = scene
    page.goto(page.url.partition("#")[0] + "#NEW?wall=1")
    page.reload()
    wait_for_state(page, "never started")
    assert page.url.endswith("#NEW?wall=1")
    assert not curves(page)


def test_a_traceback_that_is_read_stays_open_when_the_failure_comes_again(scene):
    engine, page = scene
    engine.fail()
    part(page, "failure").locator("summary").click()
    opened = page.locator('[data-testid="failure"][open]')
    for consecutive in (2, 3):
        engine.fail(consecutive=consecutive)
        opened.get_by_text(f"{consecutive} in a row").wait_for()
    engine.fail("KeyError: another")
    part(page, "failure").nth(1).wait_for()
    assert "another" in part(page, "failure").first.inner_text()
    assert "upside down" in opened.inner_text()


TRULY = """() => Array.from(document.querySelectorAll('[data-testid="panel"] .js-plotly-plot'))
    .flatMap((plot) => plot.data.map((trace) => trace.customdata ?? null))"""


def test_curves_stand_apart_and_tell_their_true_heights(scene):
    engine, page = scene
    before = [np.array(item["y"]) for item in curves(page)]
    part(page, "apart-toggle").check()
    page.wait_for_function(f"() => ({TRULY})()[1] !== null")
    for scale in (1.0, 2.0):
        update(engine, page, scale)
        first, second, alone = (np.array(item["y"]) for item in curves(page))
        np.testing.assert_allclose(first, scale * before[0], rtol=1e-12)
        lift = second - scale * before[1]
        assert lift.min() == pytest.approx(lift.max())
        assert 0.3 * np.ptp(first) <= lift[0] < np.ptp(first)
        assert f"each {lift[0]:g} higher" in page.evaluate(TITLES)[0]
        np.testing.assert_allclose(page.evaluate(TRULY)[1], scale * before[1], rtol=1e-12)
        np.testing.assert_allclose(alone, scale * before[2], rtol=1e-12)
    part(page, "scale-toggle").first.check()
    page.wait_for_function(f"() => ({AXES})()[0].type === 'log'")
    first, second, _ = (np.array(item["y"]) for item in curves(page))
    np.testing.assert_allclose(second, 10 * 2.0 * before[1], rtol=1e-9)
    part(page, "scale-toggle").first.uncheck()
    part(page, "apart-toggle").uncheck()
    page.wait_for_function(f"() => ({TRULY})()[1] === null")


def test_d_spacing_is_shown_as_q_and_stays_so(scene):
    engine, page = scene
    measured = curve(page, "bank 1")
    assert "spacing" in axes(page)["title"]
    part(page, "axis-select").select_option(label="Q")
    page.wait_for_function(f"() => ({AXES})()[0].title.startsWith('momentum transfer')")
    for scale in (2.0, 3.0):
        update(engine, page, scale)
        shown = curve(page, "bank 1")
        # Edges of bins, in the opposite order; each bin keeps its height.
        np.testing.assert_allclose(shown["x"], 2 * np.pi / np.array(measured["x"][::-1]), rtol=1e-12)
        np.testing.assert_allclose(shown["y"][:-1], scale * np.array(measured["y"][-2::-1]), rtol=1e-12)
    part(page, "axis-select").select_option(label="as measured")
    page.wait_for_function(f"() => ({AXES})()[0].title.startsWith('d-spacing')")


def test_an_earlier_run_is_laid_under_the_new_one_and_subtracted(scene):
    engine, page = scene
    engine.publish(scale=4.0, final=True)
    engine.end_run()
    engine.begin_run(8, "the second")
    update(engine, page, 10.0)
    alone = np.array(curve(page, "bank 1")["y"])
    page.wait_for_function("""() => Array.from(document.querySelectorAll(
        '[data-testid="compare-select"] option')).some((option) => option.value === "7")""")
    part(page, "compare-select").select_option("7")
    page.wait_for_function(f"() => ({NAMES})().includes('run 7: bank 1')")
    np.testing.assert_allclose(curve(page, "run 7: bank 1")["y"], 0.4 * alone, rtol=1e-12)
    part(page, "difference-toggle").check()
    page.wait_for_function(f"() => ({NAMES})().includes('difference: bank 1')")
    np.testing.assert_allclose(curve(page, "difference: bank 1")["y"], 0.6 * alone, rtol=1e-9)
    with page.expect_download() as waiting:
        part(page, "download-text").click()
    named = {
        block.split("# curve: ")[1].split("\n")[0]: np.loadtxt(block.splitlines())
        for block in Path(waiting.value.path()).read_text().split("\n\n\n")
    }
    assert list(named)[:3] == ["bank 1", "bank 1, run 7", "bank 1, run 8 minus run 7"]
    y = named["bank 1"][:, 2]
    np.testing.assert_allclose(y, alone[: len(y)], rtol=1e-12)
    np.testing.assert_allclose(named["bank 1, run 7"][:, 2], 0.4 * y, rtol=1e-12)
    np.testing.assert_allclose(named["bank 1, run 8 minus run 7"][:, 2], 0.6 * y, rtol=1e-9)
    update(engine, page, 14.0)
    np.testing.assert_allclose(curve(page, "run 7: bank 1")["y"], 0.4 * alone, rtol=1e-12)
    np.testing.assert_allclose(curve(page, "difference: bank 1")["y"], alone, rtol=1e-9)
    part(page, "compare-select").select_option("0")
    page.wait_for_function(f"() => ({NAMES})().length === 3")


def test_what_is_shown_can_be_taken_away_as_text_and_as_a_picture(scene, browser):
    _, page = scene
    part(page, "curve-toggle").nth(1).uncheck()
    page.wait_for_function(f"() => ({NAMES})().length === 2")
    shown = [curve(page, "bank 1"), curve(page, "S(Q)")]
    with page.expect_download() as waiting:
        part(page, "download-text").click()
    assert waiting.value.suggested_filename == "TST_run7_update1.txt"
    text = Path(waiting.value.path()).read_text()
    assert "# run title: the first\n" in text
    assert "# livered" not in text.split("# versions: ")[0]
    names = [line.removeprefix("# curve: ") for line in text.splitlines() if line.startswith("# curve: ")]
    assert names == ["bank 1", "S(Q)"]
    for block, item in zip(text.split("\n\n\n"), shown, strict=True):
        numbers = np.loadtxt(block.splitlines())
        n = len(numbers)
        np.testing.assert_array_equal(numbers[:, -2], item["y"][:n])
        np.testing.assert_array_equal(numbers[:, 0], item["x"][:n])
    with page.expect_download() as waiting:
        part(page, "download-png").click()
    data = Path(waiting.value.path()).read_bytes()
    assert data.startswith(b"\x89PNG")
    assert waiting.value.suggested_filename.endswith(".png")
    inks = page.evaluate("""() => Array.from(document.querySelectorAll('[data-testid="panel"] .js-plotly-plot'))
        .flatMap((plot) => plot.data.map((trace) => trace.line.color.match(/[0-9]+/g).map(Number)))""")
    assert len(inks) == 2
    with browser.new_context() as context:
        width, counts = context.new_page().evaluate(PIXELS, [base64.b64encode(data).decode(), inks])
    assert width >= 600
    # More than the short line beside its name.
    assert min(counts) > 1000, counts


def test_a_new_instrument_appears_and_can_be_chosen(scene, shown):
    _engine, page = scene
    with written_engine(shown[0], "OTHER") as other:
        other.begin_run(31, "another place")
        other.publish(scale=1.0)
        page.wait_for_function("""() => document.querySelector(
            '[data-testid="instrument-select"]').textContent.includes("OTHER")""")
        part(page, "instrument-select").select_option("OTHER")
        page.wait_for_selector('[data-testid="run-number"]:has-text("31")')
        wait_for_version(page, other.version)
        wait_for_state(page, "live")
        part(page, "instrument-select").select_option("TST")
        page.wait_for_selector('[data-testid="run-number"]:has-text("7")')


def lines_of(table):
    texts = table.locator("tbody tr").all_inner_texts()
    return [" ".join(part for part in text.split("\n") if part) for text in texts]


def test_the_plugins_are_a_table_in_which_one_that_fails_is_seen(scene):
    engine, page = scene
    nasty = '<img src=x onerror="alert(1)">\u202e$x$'
    table = part(page, "plugins")
    page.wait_for_function("() => document.querySelectorAll('#plugins tr').length === 8")
    rows = lines_of(table)
    assert rows[:3] == [
        "tst 1.0 runs wrapper, livered-tst, /there/tst.py",
        "process_chunk\t12\t12 ms\t11 ms\t1.3 s",
        "post_process\t0\t\u2013\t11 ms\t1.3 s",
    ]
    assert rows[3].startswith("filter 1.0 FAILS")
    assert rows[4:] == [
        "process_chunk (wrapper)\t12\t12 ms\t11 ms\t1.3 s",
        "2 failed, the newest 2 in a row. The last: ValueError: no",
        "run_started\t12\t12 ms\t11 ms\t1.3 s",
        "1 failed earlier. The last: KeyError: 'x'",
    ]
    failing, over = table.locator("tr.said").all()
    assert failing.get_attribute("data-failing") == "yes"
    assert over.get_attribute("data-failing") is None
    hanging = hook_row("post_publish", failures=1, last_error=nasty, running_s=61.0)
    engine.plugins = [plugin_row(nasty, hanging, state="refused", reason=f"What is on disk: {nasty}.")]
    engine.write_status()
    page.wait_for_function("() => document.querySelectorAll('#plugins tr').length === 3")
    who, _, said = lines_of(table)
    plain = '<img src=x onerror="alert(1)"> $x$'
    assert who.startswith(f"{plain} 1.0 REFUSED What is on disk: {plain}.")
    assert said.startswith(f"1 failed earlier. The last: {plain}")
    assert said.endswith("A call has not come back for 61 s.")
    engine.plugins, engine.phase = [plugin_row("tst")], "stopped"
    engine.write_status()
    wait_for_state(page, "stopped")
    assert part(page, "plugins").locator(".how").all_inner_texts() == ["ran"]
    assert "livered has ended" in table.inner_text()
