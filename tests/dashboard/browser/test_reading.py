"""The page reads well: on a phone, in light and dark, without a mouse."""

from __future__ import annotations

import pytest

from browser_page import dashboard, part, wait_for_version
from livered_support import private_environment
from waiting import until
from written_engine import written_engine

_COLOURS = """
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const rgba = (text) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = text;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const over = (top, under) => {
        const a = top[3];
        return [0, 1, 2].map((i) => top[i] * a + under[i] * (1 - a)).concat(1);
    };
    const luminance = (colour) => {
        const [r, g, b] = colour.slice(0, 3).map((v) => {
            const part = v / 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ratio = (one, two) => {
        const [low, high] = [luminance(one), luminance(two)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    };
    const behind = (element) => {
        const layers = [];
        for (let at = element; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
        return layers.reverse().reduce((under, top) => over(top, under), rgba("Canvas"));
    };
"""
CONTRASTS = (
    "() => {"
    + _COLOURS
    + """
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const text = node.textContent.trim();
        const element = node.parentElement;
        if (!text || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
        const box = element.getBoundingClientRect();
        if (box.width < 2 || box.height < 2 || element.closest("script, style, noscript, option, .visually-hidden")) continue;
        const style = getComputedStyle(element);
        const under = behind(element);
        let ink = rgba(element instanceof SVGElement ? style.fill : style.color);
        let faint = 1;
        for (let at = element; at; at = at.parentElement) faint *= Number(getComputedStyle(at).opacity);
        ink = over([ink[0], ink[1], ink[2], ink[3] * faint], under);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        const value = ratio(ink, under);
        if (value < (large ? 3 : 4.5))
            found.push(`${value.toFixed(2)} ${text.slice(0, 40)} <${element.tagName} ${element.getAttribute("class") ?? ""}>`);
    }
    return found; }"""
)
LINES = (
    "() => {"
    + _COLOURS
    + """
    return Array.from(document.querySelectorAll('[data-testid="panel"] .scatterlayer path.js-line')).map((line) =>
        [getComputedStyle(line).stroke, ratio(rgba(getComputedStyle(line).stroke), behind(line))]); }"""
)
CONTROLS = """() => Array.from(document.querySelectorAll(
    'a[href], button, input, select, textarea, summary, [role="button"], [tabindex="0"]'))
    .filter((element) => !element.disabled && element.checkVisibility({ visibilityProperty: true })
        && element.getBoundingClientRect().width > 0 && element.tabIndex >= 0)
    .map((element, index) => { element.dataset.seen = String(index); return element.outerHTML.slice(0, 120); })"""
FOCUSED = """() => {
    const element = document.activeElement;
    const style = getComputedStyle(element);
    const ring = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
    return [element.dataset.seen ?? "", ring, element.outerHTML.slice(0, 120)]; }"""
AXIS = """() => {
    const { xaxis, yaxis } = document.querySelector('[data-testid="panel"] .js-plotly-plot')._fullLayout;
    return { type: yaxis.type, range: xaxis.range }; }"""
NAMELESS = """() => Array.from(document.querySelectorAll("button, input, select, a[href], summary"))
    .filter((element) => element.checkVisibility({ visibilityProperty: true }))
    .filter((element) => !(element.ariaLabel || element.title || element.textContent.trim()
        || element.labels?.length || element.getAttribute("aria-labelledby")))
    .map((element) => element.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """An engine with two runs, a failure and logs, and its dashboard."""
    folder = tmp_path_factory.mktemp("reading")
    environment = private_environment(folder)
    with written_engine(folder) as engine, dashboard(folder, environment) as shown:
        engine.begin_run(7, "the first")
        engine.publish(scale=1.0, final=True)
        engine.end_run()
        engine.begin_run(
            8, "A long title of a run, as people write them: diamond powder in vanadium, 300 K, 60 Hz"
        )
        engine.fail()
        engine.publish(scale=2.0)
        yield engine, shown


SMALL = """() => Array.from(document.querySelectorAll("button, select, summary, input"))
    .map((element) => [element.outerHTML.slice(0, 80), (element.closest("label") ?? element).getBoundingClientRect()])
    .filter(([, box]) => box.width > 0 && (box.height < 24 || box.width < 24)).map(([text]) => text)"""


def test_nothing_has_to_be_scrolled_sideways_or_is_too_small_to_touch(written, open_page):
    engine, shown = written
    page = open_page(shown.url, has_touch=True, viewport={"width": 360, "height": 800}).page
    wait_for_version(page, engine.version)
    part(page, "run-row").first.wait_for()
    for width in (360, 768, 1400, 2560):
        page.set_viewport_size({"width": width, "height": 800})
        plot = page.locator(".js-plotly-plot").first
        until(lambda plot=plot: abs(plot.bounding_box()["width"] - drawn_width(page)) < 2)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert part(page, "state").bounding_box()["y"] < 200
        assert not page.evaluate(SMALL), width


def drawn_width(page):
    return page.evaluate("document.querySelector('.js-plotly-plot .main-svg').getBoundingClientRect().width")


def test_text_and_lines_stand_out_in_light_and_dark(written, open_page):
    engine, shown = written
    page = open_page(shown.url).page
    wait_for_version(page, engine.version)
    part(page, "run-row").first.wait_for()
    part(page, "failure").first.locator("summary").click()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        dark = "luminance(behind(document.body)) < 0.2"
        page.wait_for_function(
            "(dark) => {" + _COLOURS + f"return ({dark}) === dark; }}", arg=scheme == "dark"
        )
        # Plots take the colours of the page when they are drawn anew.
        engine.publish(scale=2.0 + engine.version)
        wait_for_version(page, engine.version)
        assert not page.evaluate(CONTRASTS), scheme
        lines = page.evaluate(LINES)
        assert len(lines) >= 3
        assert not [line for line in lines if line[1] < 3], scheme


def test_everything_can_be_used_without_a_mouse_and_the_state_is_told(written, open_page):
    engine, shown = written
    page = open_page(shown.url).page
    wait_for_version(page, engine.version)
    part(page, "run-row").first.wait_for()
    controls = page.evaluate(CONTROLS)
    reached, ringless = set(), []
    for _ in range(len(controls) + 60):
        page.keyboard.press("Tab")
        seen, ring, html = page.evaluate(FOCUSED)
        if seen:
            if seen in reached:
                break
            reached.add(seen)
            if not ring:
                ringless.append(html)
    assert not ringless
    assert not [html for index, html in enumerate(controls) if str(index) not in reached]
    assert not page.evaluate(NAMELESS)
    part(page, "scale-toggle").focus()
    page.keyboard.press("Space")
    page.wait_for_function(f"() => ({AXIS})().type === 'log'")
    plot = page.locator(".js-plotly-plot").first
    whole = page.evaluate(AXIS)["range"]
    plot.focus()
    page.keyboard.press("+")
    page.wait_for_function(f"(whole) => ({AXIS})().range[0] > whole[0]", arg=whole)
    page.keyboard.press("0")
    page.wait_for_function(f"(whole) => ({AXIS})().range[0] === whole[0]", arg=whole)
    part(page, "failure").first.locator("summary").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('[data-testid=failure]').open")
    assert part(page, "state").get_by_role("status").inner_text().lower() == "live"
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.locator("h1").count() == 1
    assert page.locator("main").count() == 1
