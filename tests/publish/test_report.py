from __future__ import annotations

import base64
import hashlib
import re
import struct
import zlib
from collections.abc import Callable
from html.parser import HTMLParser

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hooks_support
from livered_core.model import Curve, Image, Result, RunInfo, Update
from livered_core.publish.report import report_html
from livered_core.publish.report_panels import MOST_CURVES, MOST_IMAGES, SIZE, ticks

NOON = 1_795_348_800 * 1_000_000_000
VERSIONS = {"livered-core": "0.1.0", "nom": "2"}
any_text = st.text(st.characters(codec=None), max_size=100)
ALLOWED = frozenset(
    re.findall(
        r"\w+",
        "html head meta title style body header h1 p bdi main figure figcaption svg g path image rect line text ul"
        " li label input section h2 table tr th td details summary a script",
    )
)


class Seen(HTMLParser):
    """Elements with their attributes, and the text outside of style and script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside not in ("style", "script"):
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page(result: Result, run: RunInfo, update: Update, beside: tuple[str, ...] = ()) -> str:
    return report_html(result, run, update, VERSIONS, NOON, beside).decode()


def drawn(text: str) -> list[list[tuple[float, float]]]:
    """The points of each line of a page, in units of its drawing."""
    return [points(d) for d in re.findall(r'<path class="line [^"]*" d="([^"]*)"/></g>', text)]


def points(path: str) -> list[tuple[float, float]]:
    found = []
    for start, steps in re.findall(r"M([^l]*)l([^Mz]*)", path):
        place = np.array([float(number) for number in start.split()])
        found.append(tuple(place))
        for step in np.array([float(number) for number in steps.split()]).reshape(-1, 2):
            place = place + step
            found.append(tuple(place))
    return found


def test_the_report_says_what_the_curves_rest_on(
    result: Result, run: RunInfo, make_update: Callable[..., Update]
) -> None:
    text = page(result, run, make_update(3, missing=("Chunk 3 was dropped.", "No start.")), ("NOM_7.h5",))
    said = " | ".join(Seen(text).text)
    for words in (
        "NOM run 7",
        "diamond",
        "INCOMPLETE; final result.",
        "Chunk 3 was dropped. No start.",
        "IPTS-1",
        "2026-11-22T11:50:00Z",
        "2026-11-22T11:59:55Z",
        "2026-11-22T12:00:00Z",
        "2 uAh",
        "36,000",
        "1,234,567",
        "2 chunks, 0 events",
        "mass (g) | 1.5",
        "diamond powder | strongest | bank 2 | in range | yes",
        "nom | 2",
        "intensity (counts/uC) over d-spacing (angstrom)",
        "y over x (1/angstrom)",
        "bank 2 - 31 deg",
        "S(Q)",
        "strongest d | 2.0597 | pixels | 23552",
    ):
        assert words in said, words
    assert [link["href"] for link in Seen(text).all("a")] == ["NOM_7.h5"]


def test_a_complete_result_that_is_not_final_says_so(
    result: Result, run: RunInfo, make_update: Callable[..., Update]
) -> None:
    text = page(result, run, make_update(final=False))
    assert "Complete; not final: the run went on when this was written." in text
    assert "INCOMPLETE" not in text


def test_the_policy_allows_what_is_in_the_file_and_nothing_else(
    result: Result, run: RunInfo, make_update: Callable[..., Update]
) -> None:
    text = page(result, run, make_update())
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.pop("default-src") == rules.pop("base-uri") == rules.pop("form-action") == "'none'"
    assert rules.pop("img-src") == "data:"
    for kind in ("style", "script"):
        (inline,) = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert rules.pop(f"{kind}-src") == f"'sha256-{digest}'"
    assert rules == {}


def test_lines_stand_where_their_values_are(run: RunInfo, make_update: Callable[..., Update]) -> None:
    curve = Curve("c", [1.0, 2.0, 4.0], [10.0, 30.0, 20.0], [0.0] * 3, "a", "b")
    text = page(Result(7, "r", (curve,)), run, make_update())
    figure = Seen(text).all("figure")[0]
    low, high = (float(str(figure[f"data-y-{side}"])) for side in ("low", "high"))
    assert low < 10
    assert high > 30
    assert (figure["data-x-low"], figure["data-x-high"]) == ("1.0", "4.0")
    (line,) = drawn(text)
    expected = [
        (round((x - 1) / 3 * SIZE), round(SIZE - (y - low) / (high - low) * SIZE))
        for x, y in ((1, 10), (2, 30), (4, 20))
    ]
    assert line == expected
    # There is no area where there are no errors.
    assert 'class="band c0" d=""' in text


def test_errors_are_an_area_to_both_sides(run: RunInfo, make_update: Callable[..., Update]) -> None:
    curve = Curve("c", [1.0, 2.0], [10.0, 30.0], [5.0, 1.0], "a", "b")
    text = page(Result(7, "r", (curve,)), run, make_update())
    figure = Seen(text).all("figure")[0]
    low, high = (float(str(figure[f"data-y-{side}"])) for side in ("low", "high"))
    (area,) = re.findall(r'class="band c0" d="([^"]*)"', text)
    heights = [low + (SIZE - y) / SIZE * (high - low) for _, y in points(area)]
    assert heights == pytest.approx([15, 31, 29, 5], abs=1e-3)


def test_what_is_no_number_is_a_gap(run: RunInfo, make_update: Callable[..., Update]) -> None:
    y = [1.0, 2.0, np.nan, 3.0, np.inf, 4.0, 5.0]
    curve = Curve("c", np.arange(7.0), y, np.ones(7), "a", "b")
    text = page(Result(7, "r", (curve,)), run, make_update())
    (line,) = re.findall(r'<path class="line [^"]*" d="(M[^"]*)"/></g>', text)
    assert line.count("M") == 3
    assert len(points(line)) == 6


def test_thinning_hides_no_peak(run: RunInfo, make_update: Callable[..., Update]) -> None:
    rng = np.random.default_rng(1)
    y = rng.uniform(0.0, 1.0, 500_000)
    y[[123_457, 400_001]] = 100.0, -100.0
    curve = Curve("c", np.arange(500_000.0), y, np.ones(500_000), "a", "b")
    text = page(Result(7, "r", (curve,)), run, make_update())
    assert len(text) < 1_500_000
    (line,) = drawn(text)
    assert len(line) <= 12_100
    assert min(line, key=lambda point: point[1])[0] == round(123_457 / 499_999 * SIZE)
    assert max(line, key=lambda point: point[1])[0] == round(400_001 / 499_999 * SIZE)
    assert (line[0][0], line[-1][0]) == (0, SIZE)


def test_curves_of_the_same_quantities_share_a_panel(
    run: RunInfo, make_update: Callable[..., Update]
) -> None:
    def curve(label: str, x_unit: str, y_unit: str, start: float = 0.0) -> Curve:
        return Curve(label, np.arange(start, start + 3), np.ones(3), np.ones(3), x_unit, y_unit)

    curves = (curve("a", "A", "n"), curve("b", "1/A", "n"), curve("c", "A", "n", 5.0), curve("d", "A", "1/n"))
    seen = Seen(page(Result(7, "r", curves), run, make_update()))
    assert [figure["data-x-high"] for figure in seen.all("figure")] == ["7.0", "2.0", "2.0"]
    assert len(seen.all("input")) == 4


def test_many_curves_are_bounded_and_the_rest_is_told(
    run: RunInfo, make_update: Callable[..., Update]
) -> None:
    curves = [
        Curve(f"c{i}", np.arange(900.0), np.ones(900), np.ones(900), "a", "b") for i in range(MOST_CURVES + 5)
    ]
    images = [
        Image(f"i{i}", np.arange(61.0), np.arange(61.0), np.ones((60, 60)), "a", "b", "c")
        for i in range(MOST_IMAGES + 1)
    ]
    text = page(Result(7, "r", curves, images), run, make_update())
    assert "6 more are not drawn here" in text
    assert len(drawn(text)) == MOST_CURVES
    assert text.count("<image") == MOST_IMAGES
    assert sum(map(len, drawn(text))) <= 1.1 * 100_000


def picture(text: str) -> tuple[np.ndarray, int, int]:
    """The indices of the pixels of a page's image, by the PNG specification."""
    (encoded,) = re.findall(r'href="data:image/png;base64,([^"]*)"', text)
    data = base64.b64decode(encoded)
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length) == (zlib.crc32(kind + body),)
        chunks[kind] = body
        at += 12 + length
    width, height, depth, colour = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    assert (depth, colour, len(chunks[b"PLTE"])) == (8, 3, 768)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any()
    return rows[:, 1:], width, height


def test_an_image_has_its_pixels_the_first_row_below(
    run: RunInfo, make_update: Callable[..., Update]
) -> None:
    z = np.array([[0.0, 1.0, 2.0], [3.0, np.nan, 4.0]])
    image = Image("i", [0.0, 1, 2, 3], [0.0, 1, 2], z, "A", "deg", "counts")
    text = page(Result(7, "r", (), (image,)), run, make_update())
    pixels, width, height = picture(text)
    assert (width, height) == (3, 2)
    top, bottom = pixels.tolist()
    assert top[1] == 0
    assert bottom == sorted(bottom)
    assert 0 < bottom[0] < bottom[2] < top[0] < top[2] == 255
    assert "0 to 4 counts" in text


def test_bins_of_constant_resolution_have_a_logarithmic_axis(
    run: RunInfo, make_update: Callable[..., Update]
) -> None:
    image = Image("i", np.geomspace(0.1, 8, 501), np.linspace(0, 1, 3), np.ones((2, 500)), "A", "deg", "n")
    text = page(Result(7, "r", (), (image,)), run, make_update())
    assert Seen(text).all("figure")[0]["data-x-log"] == "yes"
    assert picture(text)[1:] == (500, 2)
    assert re.findall(r'<text class="x"[^>]*>([^<]*)<', text) == ["0.1", "0.2", "0.5", "1", "2", "5"]


def test_uneven_bins_keep_their_widths(run: RunInfo, make_update: Callable[..., Update]) -> None:
    image = Image("i", [0.0, 1.0, 4.0], [0.0, 1.0], [[0.0, 1.0]], "A", "deg", "n")
    pixels, width, _ = picture(page(Result(7, "r", (), (image,)), run, make_update()))
    assert (width, np.count_nonzero(pixels[0] > 100)) == (8, 6)


@pytest.mark.parametrize(
    "y",
    [
        [np.nan, np.nan],
        [np.inf, -np.inf],
        [1e308, -1e308],
        [5e-324, 0.0],
        [0.0, 0.0],
        [7.0, 7.0],
        [1.0, np.nextafter(1.0, 2.0)],
        [-3.0, -3.0],
    ],
)
def test_extreme_numbers_are_drawn_or_left_out(
    y: list[float], run: RunInfo, make_update: Callable[..., Update]
) -> None:
    curves = (
        (Curve("c", y if y[0] <= y[1] else y[::-1], y, np.abs(y), "a", "b"),) if not np.isnan(y).any() else ()
    )
    curves += (Curve("d", [0.0, 1.0], y, [np.nan, np.inf], "a", "c"), Curve("e", [3.0, 3.0], y, y, "a", "d"))
    image = Image("i", [0.0, 0.0, 1.0], [5.0, 5.0], [y], "a", "b", "c")
    text = page(Result(7, "r", curves, (image,)), run, make_update())
    body = text[text.index("<main>") : text.index("<script>")]
    assert not re.search(r'="[^"]*(nan|inf)[^"]*"', body)
    for line in drawn(text):
        assert np.isfinite(line).all() if line else True


def test_a_result_without_curves_is_a_report(run: RunInfo, make_update: Callable[..., Update]) -> None:
    assert "NOM run 7" in page(Result(7, "r", ()), run, make_update())
    empty = Curve("c", [], [], [], "a", "b")
    assert "NOM run 7" in page(Result(7, "r", (empty,)), run, make_update())


@settings(max_examples=30)
@given(any_text)
def test_no_text_becomes_markup(text: str) -> None:
    hostile = f"</title></script></style>--><img src=x onerror=alert(1)>\"'&amp;<script>{text}"
    notes = {hostile: hostile}
    curve = Curve(
        hostile, [0.0, 1.0], [1.0, 2.0], [1.0, 1.0], hostile, "b" + hostile, hostile, hostile, notes
    )
    image = Image(hostile, [0.0, 1], [0.0, 1], [[1.0]], hostile, hostile, hostile, notes)
    run = RunInfo(7, hostile, hostile, hostile, 0, notes)
    update = attrs.evolve(hooks_support.update(final=True), complete=False, missing=(hostile,))
    data = report_html(Result(7, hostile, (curve,), (image,), notes), run, update, notes, 1, (hostile,))
    seen = Seen(data.decode())
    assert {tag for tag, _ in seen.elements} <= ALLOWED
    assert len(seen.all("script")) == 1
    assert [name for _, given in seen.elements for name in given if name.startswith("on")] == []
    (link,) = seen.all("a")
    assert str(link["href"]).startswith("%3C/title")


@given(st.floats(-1e300, 1e300), st.floats(0.0, 1e300), st.booleans())
def test_ticks_are_few_and_between(low: float, span: float, logarithmic: bool) -> None:
    high = low + span
    if not low < high or (logarithmic and low <= 0):
        return
    found = ticks(low, high, 8, logarithmic=logarithmic)
    assert len(found) < (2000 if logarithmic else 52)
    assert found == sorted(found)
    room = 1e-9 * (high - low) + 1e-12 * max(abs(low), abs(high))
    assert all(low - room <= value <= high + room for value in found)


def test_ticks_are_round() -> None:
    assert ticks(0.3, 3.0, 8) == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    assert ticks(-1.0, 1.0, 6) == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert ticks(0.1, 8.0, 8, logarithmic=True) == [0.1, 0.2, 0.5, 1, 2, 5]


def test_a_curve_of_a_few_points_has_a_mark_at_each(run: RunInfo, make_update: Callable[..., Update]) -> None:
    y = np.full(40, np.nan)
    y[[3, 20]] = (1.0, 2.0)
    x = np.arange(40.0)
    curves = [
        Curve("few", x, y, np.zeros(40), "s", "counts"),
        Curve("many", x, x, np.zeros(40), "s", "counts"),
    ]
    text = page(Result(7, "t", curves, (), {}), run, make_update())
    (marks,) = re.findall(r'<path class="few c0" d="([^"]*)"/>', text)
    # Lines to themselves, at the points of the line.
    assert points(marks) == drawn(text)[0]
    assert len(set(points(marks))) == 2
