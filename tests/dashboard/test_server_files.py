"""What is in run directories, as the page gets it."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import socket
import time

import httpx
import pytest

from dashboard_support import RUN, RunFolder, latest_table, running_dashboard
from livered_core.dashboard.directories import LIMITS, Listing, look, read_run, result_head
from waiting import until

pytest.importorskip("starlette")

from livered_core.dashboard.content import Compressor, Content


def api(nom, what: str) -> str:
    return f"/api/instruments/{nom.name}/{what}"


def test_the_page_and_plotly_come_from_here(client):
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    plotly = client.get("/plotly.js")
    assert plotly.headers["content-encoding"] == "gzip"
    assert plotly.headers["cache-control"] == "private, max-age=86400"
    assert "plotly.js v" in plotly.text[:200]
    again = client.get("/plotly.js", headers={"If-None-Match": plotly.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "name", ["../app.py", "%2e%2e/app.py", "..%2fapp.py", ".hidden", "none.js", "%00", "a/b/c/d.js", ""]
)
def test_nothing_but_the_page_is_static(client, name):
    answer = client.get(f"/static/{name}")
    assert answer.status_code == 404
    assert answer.json()["error"]


def test_a_new_instrument_appears_by_itself_and_goes_by_itself(home, client, nom):
    listed = client.get("/api/instruments").json()["instruments"]
    states = {item["name"]: item["state"] for item in listed}
    assert states[nom.name]["word"] == "live"
    (began_ns,) = (item["started_ns"] for item in listed if item["name"] == nom.name)
    assert began_ns == client.get(api(nom, "status")).json()["status"]["session"]["started_ns"]
    assert list(states) == sorted(states)
    health = client.get("/health").json()
    assert health["ok"] is True
    assert health["instruments"][nom.name] == "live"
    nom.path.rename(home / "gone")
    until(lambda: nom.name not in client.get("/health").json()["instruments"])


def test_the_state_goes_with_the_status(client, nom):
    told = client.get(api(nom, "status")).json()
    assert told["name"] == nom.name
    assert told["status"]["run"] == RUN
    assert told["state"]["kind"] == "good"
    assert told["problems"] == {}
    nom.status(phase="stopped")
    until(lambda: client.get(api(nom, "status")).json()["state"]["word"] == "stopped")


def test_results_are_handed_on_byte_by_byte(client, nom):
    assert client.get(api(nom, "latest")).status_code == 404
    written = nom.latest(1, title="Ünï </script>")
    until(lambda: client.get(api(nom, "latest")).status_code == 200)
    answer = client.get(api(nom, "latest"))
    assert answer.content == written
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    tag = answer.headers["etag"]
    assert client.get(api(nom, "latest"), headers={"If-None-Match": f'"other", {tag}'}).status_code == 304
    nom.latest(2)
    until(lambda: client.get(api(nom, "latest"), headers={"If-None-Match": tag}).status_code == 200)


@pytest.mark.parametrize(
    ("accepts", "encoding"),
    [("gzip, deflate, br", "gzip"), ("*", "gzip"), ("identity", None), ("gzip;q=0", None), ("", None)],
)
def test_what_is_large_is_compressed_for_those_who_take_it(client, nom, accepts, encoding):
    written = nom.latest(1, title="a" * 5000)
    until(lambda: client.get(api(nom, "latest")).status_code == 200)
    with client.stream("GET", api(nom, "latest"), headers={"Accept-Encoding": accepts}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers.get("content-encoding") == encoding
    assert (gzip.decompress(raw) if encoding else raw) == written


def test_earlier_runs_history_and_failures(client, nom):
    for what in ("runs/4710", "history", "failures", "runs"):
        assert client.get(api(nom, what)).status_code == 404
    run = nom.write("runs/4710.json", latest_table(9))
    history = nom.write(
        "history.json", {"format": 2, "time_ns": [1], "event_rate": [0], "lag_s": [None], "phase": ["live"]}
    )
    failures = nom.write("failures.json", {"format": 2, "version": 1, "total": 1, "failures": []})
    until(lambda: client.get(api(nom, "failures")).status_code == 200)
    assert client.get(api(nom, "runs/4710")).content == run
    assert client.get(api(nom, "history")).content == history
    assert client.get(api(nom, "failures")).content == failures
    for number in ("4711", "../latest", "%2e%2e%2flatest", "-1", "4710.json", "٤٧١٠", "9" * 30):
        assert client.get(api(nom, f"runs/{number}")).status_code == 404, number


@pytest.mark.parametrize(
    "name", ["..", "%2e%2e", "NO.M", "a" * 40, "-x", "..%2f..%2fetc", "UNKNOWN", "NOM\n"]
)
@pytest.mark.parametrize("what", ["status", "latest", "runs", "runs/1", "runs/1/files/0/a"])
def test_other_names_lead_nowhere(client, name, what):
    assert client.get(f"/api/instruments/{name.replace(chr(10), '%0A')}/{what}").status_code == 404


DAMAGED = [
    (b"", "damaged"),
    (b"[1]", "damaged"),
    (b'{"format": 2, "now_ns": NaN}', "damaged"),
    (b"[" * 100_000, "damaged"),
    (b'{"format": 2', "damaged"),
    (b"\xff\xfe", "damaged"),
    (b'{"format": 1}', "layout 1"),
    (b'{"format": {}}', "layout unknown"),
]


@pytest.mark.parametrize(("content", "part"), DAMAGED)
def test_damaged_files_are_a_sentence(client, nom, content, part):
    nom.latest()
    until(lambda: client.get(api(nom, "latest")).status_code == 200)
    nom.write("latest.json", content)
    nom.write("status.json", content)
    until(lambda: client.get(api(nom, "latest")).status_code == 503)
    assert part in client.get(api(nom, "latest")).json()["error"]
    until(lambda: client.get(api(nom, "status")).json()["status"] is None)
    told = client.get(api(nom, "status")).json()
    assert part in told["problems"]["latest.json"]
    assert told["state"]["word"] == "stale"
    assert part in told["state"]["sentence"]
    # What the engine writes next mends it.
    nom.status()
    until(lambda: client.get(api(nom, "status")).json()["state"]["word"] == "live")


def test_links_devices_and_folders_are_not_read(home, client, nom):
    secret = home / "secret.json"
    secret.write_text(json.dumps(latest_table(title="secret")))
    (nom.path / "latest.json").symlink_to(secret)
    os.mkfifo(nom.path / "history.json")
    (nom.path / "failures.json").mkdir()
    with socket.socket(socket.AF_UNIX) as bound:
        here = os.open(nom.path, os.O_RDONLY)
        bound.bind(f"/proc/self/fd/{here}/runs.json")
        os.close(here)
    until(lambda: client.get(api(nom, "runs")).status_code == 503)
    for what in ("latest", "history", "failures", "runs"):
        until(lambda: client.get(api(nom, what)).status_code == 503)  # noqa: B023
        assert "not an ordinary file" in client.get(api(nom, what)).json()["error"]
    (nom.path / "runs" / "1.json").symlink_to(secret)
    assert client.get(api(nom, "runs/1")).status_code == 503


def test_linked_folders_are_not_shown(home, client, nom):
    (nom.path.parent / "LINKED").symlink_to(nom.path)
    nom.status(phase="stopped")
    until(lambda: client.get(api(nom, "status")).json()["state"]["word"] == "stopped")
    assert client.get("/api/instruments/LINKED/status").status_code == 404


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path, "NOM")
    folder.write("status.json", b'{"format": 2}' + b" " * LIMITS["status.json"])
    stored = look(tmp_path, (), Listing()).folders["NOM"].files["status.json"]
    assert stored.problem == "status.json is larger than 8 MiB, and is not read."
    assert stored.data == b""


def test_a_folder_that_others_may_write_is_not_read(tmp_path):
    folder = RunFolder(tmp_path, "NOM")
    folder.status()
    folder.path.chmod(0o770)
    found = look(tmp_path, (), Listing()).folders["NOM"]
    assert "others can write to it" in found.problem
    assert not found.files
    folder.path.chmod(0o700)
    tmp_path.chmod(0o777)
    assert "others can write to it" in look(tmp_path, (), Listing()).problem


def test_links_to_folders_are_not_followed(tmp_path):
    real = tmp_path / "real"
    folder = RunFolder(real, "NOM")
    folder.write("runs/1.json", latest_table())
    assert read_run(real, "NOM", 1).head["version"] == 1
    link = tmp_path / "link"
    link.symlink_to(real)
    found = look(link, (), Listing())
    assert not found.folders
    assert found.problem.startswith(f"The folder {link} cannot be read")
    assert read_run(link, "NOM", 1) is None
    (folder.path / "runs").rename(tmp_path / "runs")
    (folder.path / "runs").symlink_to(tmp_path / "runs")
    assert read_run(real, "NOM", 1) is None


def test_what_has_not_changed_is_not_read_again(tmp_path):
    folder = RunFolder(tmp_path, "NOM")
    folder.latest()
    folder.status()
    first = look(tmp_path, (), Listing())
    folder.status()
    second = look(tmp_path, (), first)
    before, after = first.folders["NOM"].files, second.folders["NOM"].files
    assert after["latest.json"] is before["latest.json"]
    assert after["status.json"] is not before["status.json"]


def test_the_head_of_a_result_is_read_without_its_curves():
    # The rest is not looked at: here it is no JSON.
    data = b'{"format": 2, "title": "\\"curves\\": [", "run": {"number": 1},\n"curves": [this is not JSON]}\n'
    assert result_head(data) == {"format": 2, "title": '"curves": [', "run": {"number": 1}}
    inner = json.dumps({"format": 2, "metadata": {"curves": 6}, "version": 3, "curves": []}).encode()
    assert result_head(inner) == {"format": 2, "metadata": {"curves": 6}, "version": 3}
    with pytest.raises(ValueError):
        result_head(b'{"format": 2, "version": 3, "curves": [1, 2')


def test_only_the_instruments_that_were_named_are_shown(tmp_path):
    environment_run = tmp_path / "run"
    environment_run.mkdir(mode=0o700)
    for name in ("NOM", "NOM-simulated", "POWGEN"):
        RunFolder(environment_run / "livered", name).status()
    arguments = ("--instrument", "NOM", "--instrument", "SNAP")
    with running_dashboard(tmp_path, *arguments) as (address, _), httpx.Client(base_url=address) as client:
        words = client.get("/health").json()["instruments"]
        assert words == {"NOM": "live", "NOM-simulated": "live", "SNAP": "never started"}
        assert client.get("/api/instruments/POWGEN/status").status_code == 404
        assert client.get("/api/instruments/POWGEN/events").status_code == 404


def test_a_look_is_cheap(tmp_path):
    """Ten times a second for twenty instruments must not be felt."""
    for number in range(20):
        folder = RunFolder(tmp_path, f"NOM{number}")
        folder.status()
        folder.latest()
    listing = look(tmp_path, (), Listing())
    began = time.process_time()
    for _ in range(10):
        listing = look(tmp_path, (), listing)
    assert time.process_time() - began < 0.5


def test_each_version_is_compressed_once_for_all(monkeypatch):
    calls = []
    real = gzip.compress

    def counted(data, *arguments, **named):
        calls.append(len(data))
        return real(data, *arguments, **named)

    monkeypatch.setattr("livered_core.dashboard.content.gzip.compress", counted)

    async def scenario() -> None:
        compressor = Compressor()
        first = Content(b"a" * 5000, '"1"')
        answers = await asyncio.gather(*(compressor.compressed("NOM", first) for _ in range(20)))
        assert {gzip.decompress(answer) for answer in answers} == {first.data}
        leaving = asyncio.create_task(compressor.compressed("SNAP", Content(b"b" * 6000, '"1"')))
        await asyncio.sleep(0)
        leaving.cancel()
        # The one who asked first has gone; the others get it all the same.
        assert gzip.decompress(await compressor.compressed("SNAP", Content(b"", '"1"'))) == b"b" * 6000
        await compressor.compressed("NOM", Content(b"c" * 7000, '"2"'))
        await compressor.compressed("NOM", first)

    asyncio.run(scenario())
    assert calls == [5000, 6000, 7000, 5000]
