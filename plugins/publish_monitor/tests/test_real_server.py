"""What a live data server does: the double of the tests, and the real one where there is a checkout of it.

``LIVERED_LIVE_DATA_SERVER=/path/of/live_data_server pytest plugins/publish_monitor/tests/test_real_server.py``, with a
Python that has Django and django-cors-headers, or one named in ``LIVERED_LIVE_DATA_SERVER_PYTHON``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from livered_core import Result, RunInfo, SinkUnavailable, Update
from livered_publish_monitor.plugin import PublishMonitorPlugin
from livered_support import livered

from .conftest import PASSWORD, USERNAME, a_server
from .pages import Elements, figures_of
from .real_server import RealServer, why_not

LOGIN = {"username": USERNAME, "password": PASSWORD}
WRONG = {"username": USERNAME, "password": "wrong"}
DIV = ("plot.html", b"<div>1</div>", "text/html")
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    problem = why_not()
    if problem:
        pytest.skip(problem)
    server = RealServer(tmp_path_factory.mktemp("live_data_server"), USERNAME, PASSWORD)
    yield server
    server.stop()


@pytest.fixture(params=["double", "real"])
def live_server(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "real":
        yield request.getfixturevalue("real_server")
        return
    with a_server() as double:
        yield double


@pytest.fixture
def client(live_server: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{live_server.port}") as made:
        yield made


def html_at(client: httpx.Client, instrument: str, run: int, kind: str = "html") -> httpx.Response:
    """What the monitor gets. The question differs each time, because the server keeps answers for 15 s."""
    return client.get(f"/plots/{instrument}/{run}/update/{kind}/", params={"again": next(_numbers)})


def upload(
    client: httpx.Client, path: str, form: dict[str, str], file: Any = DIV, **options: Any
) -> httpx.Response:
    # None: a form without a file, of the same kind.
    files = {"file": file} if file is not None else None
    return client.post(path, data=form, files=files, **options)


@pytest.mark.parametrize(
    ("path", "form", "file", "status"),
    [
        ("/plots/nom/1/upload_plot_data/", LOGIN, DIV, 200),
        ("/plots/NOM/1/upload_plot_data/", {**LOGIN, "data_type": "1"}, DIV, 200),
        ("/plots/nom/1/upload_plot_data/", LOGIN, None, 400),
        ("/plots/nom/1/upload_plot_data/", {**LOGIN, "file": "<div>"}, None, 400),
        ("/plots/nom/1/upload_plot_data/", WRONG, DIV, 401),
        ("/plots/nom/1/upload_plot_data/", WRONG, None, 401),
        ("/plots/nom/1/upload_plot_data/", {}, DIV, 401),
        ("/plots/nom/x/upload_plot_data/", LOGIN, DIV, 404),
        ("/plots/n-m/1/upload_plot_data/", WRONG, DIV, 404),
        ("/elsewhere/", LOGIN, DIV, 404),
        ("/plots/nom/1/upload_plot_data", LOGIN, DIV, 301),
        ("/plots/nom/1/upload_plot_data/", LOGIN, ("a", b"\xff\xfe", "text/html"), 500),
        ("/plots/nom/1/upload_plot_data/", {**LOGIN, "data_type": "html"}, DIV, 500),
    ],
)
def test_the_answers(client: httpx.Client, path: str, form: dict[str, str], file: Any, status: int) -> None:
    answer = upload(client, path, form, file)
    assert answer.status_code == status
    if status in (200, 400, 401):
        assert answer.content == b""


def test_other_ways_to_ask(client: httpx.Client) -> None:
    assert client.get("/plots/nom/1/upload_plot_data/").status_code == 401
    assert html_at(client, "nom", 999_999).status_code == 404
    other_name = upload(
        client, "/plots/nom/1/upload_plot_data/", LOGIN, headers={"Host": "elsewhere.example:80"}
    )
    assert other_name.status_code == 400


def test_the_session_s_cookie_counts_before_the_login(client: httpx.Client) -> None:
    assert upload(client, "/plots/nom/2/upload_plot_data/", LOGIN).status_code == 200
    assert upload(client, "/plots/nom/2/upload_plot_data/", WRONG).status_code == 200
    client.cookies.clear()
    assert upload(client, "/plots/nom/2/upload_plot_data/", WRONG).status_code == 401


def test_there_is_one_place_for_each_run_and_the_last_writer_has_it(client: httpx.Client) -> None:
    for text in (b"<div>1</div>", b"<div>2</div>"):
        upload(client, "/plots/NOM/3/upload_plot_data/", LOGIN, ("plot.html", text, "text/html"))
    answer = html_at(client, "nom", 3)
    assert (answer.status_code, answer.text) == (200, "<div>2</div>")
    assert answer.headers["Content-Type"].startswith("text/html")
    upload(client, "/plots/nom/3/upload_plot_data/", LOGIN, ("plot.json", b"[1]", "text/plain"))
    assert html_at(client, "nom", 3).status_code == 404
    assert html_at(client, "nom", 3, "json").status_code == 200


def test_the_plugin_posts_and_the_monitor_gets_what_it_posted(
    live_server: Any,
    client: httpx.Client,
    make_plugin: Callable[..., PublishMonitorPlugin],
    result: Result,
    run: RunInfo,
    make_update: Callable[..., Update],
    write_credentials: Callable[..., Path],
) -> None:
    here = attrs.evolve(run, number=4, title="<b>å & µ</b>")
    plugin = make_plugin(live_server.url, min_interval=0.0)
    assert plugin.check_connection() == []
    assert html_at(client, "nom", 4).status_code == 404
    for update in (make_update(1), make_update(2, final=True)):
        receipt = plugin.post_publish(attrs.evolve(result, run_number=4), here, update)
        assert receipt is not None
        page = html_at(client, "nom", 4)
        assert page.status_code == 200
        assert len(page.content) == receipt.size
        assert "<b>å & µ</b>" in Elements(page.text).text
        assert len(figures_of(page.text)) == 1
    assert "(final)" in page.text
    assert html_at(client, "livered", 0).status_code == 404
    path = write_credentials(password="wrong")
    wrong = make_plugin(live_server.url, credentials_file=path)
    assert "refused the login" in wrong.check_connection()[0]
    with pytest.raises(SinkUnavailable, match="refused the login"):
        wrong.post_publish(attrs.evolve(result, run_number=4), here, make_update(3))
    with pytest.raises(SinkUnavailable, match="redirects"):
        make_plugin(live_server.url.rstrip("/"), credentials_file=write_credentials()).post_publish(
            result, run, make_update()
        )


CONFIG = """
update_every = 0.5
[simulate]
run_length = 3.0
rate = 100000.0
run_number = {run}
title = "<script>alert(1)</script>"
[plugins.publish_monitor]
url = "{url}"
credentials_file = "{login}"
min_interval = 0.0
layout = "tabs"
images = true
"""


def test_a_simulated_run_arrives(
    real_server: RealServer, tmp_path: Path, write_credentials: Callable[..., Path]
) -> None:
    pytest.importorskip("livered_nom", reason="needs an instrument: the NOM plugin")
    pytest.importorskip("NCrystal", reason="needs the simulated beamline")
    (tmp_path / "c.toml").write_text(CONFIG.format(url=real_server.url, login=write_credentials(), run=5))
    done = livered(
        tmp_path, "run", "--instrument", "NOM", "--simulate", "--stop-after-run", "--config", "c.toml"
    )
    assert done.returncode == 0, done
    with httpx.Client(base_url=real_server.base) as client:
        page = html_at(client, "nom", 5)
    assert page.status_code == 200
    assert "(final)" in page.text
    assert "<script>alert" not in page.text
    assert "<script>alert(1)</script>" in Elements(page.text).text
    labels = [trace.get("name") for data, _, _ in figures_of(page.text) for trace in data]
    assert "bank 1 - 15 deg" in labels
    assert len(page.content) < 500_000
    log = (tmp_path / "livereduce.log").read_text()
    assert f"bytes to http://127.0.0.1:{real_server.port}/plots/nom/5/" in log
    assert PASSWORD not in log + done.stdout + done.stderr
