"""Files that receipts name."""

from __future__ import annotations

import os

import pytest

from waiting import until

NO_TEXT = os.fsdecode(b"\x80.dat")
"""A name that is no text in UTF-8, and so in no address."""


@pytest.fixture
def files(home, nom):
    """Files of a run, of two sinks, and what a receipt may wrongly name."""
    folder = home / f"out-{nom.name}"
    folder.mkdir()
    for name, content in {
        "NOM_1 é.h5": b"\x89HDF" * 100_000,
        "NOM_1.dat": b"# <script>\n",
        "report.html": b"<!doctype html><script>1</script>",
    }.items():
        (folder / name).write_bytes(content)
    (folder / "link.dat").symlink_to(folder / "NOM_1.dat")
    (folder / NO_TEXT).touch()
    os.mkfifo(folder / "fifo")
    return folder


def write_runs(nom, folder, **changes):
    names = ["NOM_1 é.h5", "NOM_1.dat", "gone.dat", "link.dat", "fifo", "report.html"]
    receipts = {
        "files": {
            "where": str(folder),
            "when_ns": 1,
            "size": 1,
            "files": [*(str(folder / name) for name in names), "relative.dat", 5],
        },
        "monitor": {"where": "https://x", "when_ns": 1, "size": 1, "files": []},
        "foreign": 7,
        "other": {"files": [str(folder / "NOM_1.dat"), "/etc/passwd\0", str(folder / NO_TEXT)]},
    }
    runs = [
        {"number": 1, "title": "a", "receipts": receipts},
        {"number": 2, "receipts": {}},
        {"number": 3},
        "no run",
    ]
    nom.write("runs.json", {"format": 2, "version": 5, "runs": runs, **changes})


def links(client, nom):
    until(lambda: client.get(f"/api/instruments/{nom.name}/runs").status_code == 200)
    return client.get(f"/api/instruments/{nom.name}/runs").json()


def test_files_that_are_there_are_linked_in_place_of_their_paths(client, nom, files):
    write_runs(nom, files)
    told = links(client, nom)
    assert told["version"] == 5
    assert [run["number"] for run in told["runs"]] == [1, 2, 3]
    receipts = told["runs"][0]["receipts"]
    assert [file["name"] for file in receipts["files"]["files"]] == ["NOM_1 é.h5", "NOM_1.dat", "report.html"]
    assert [file["size"] for file in receipts["files"]["files"]] == [400_000, 11, 33]
    assert receipts["files"]["where"] == str(files)
    assert receipts["monitor"]["files"] == []
    assert [file["name"] for file in receipts["other"]["files"]] == ["NOM_1.dat"]
    for sink in ("files", "other"):
        for file in receipts[sink]["files"]:
            answer = client.get(file["href"])
            assert answer.content == (files / file["name"]).read_bytes()


def test_downloads_are_saved_and_reports_are_shut_in(client, nom, files):
    write_runs(nom, files)
    h5, dat, report = (file["href"] for file in links(client, nom)["runs"][0]["receipts"]["files"]["files"])
    answer = client.get(h5)
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''NOM_1%20%C3%A9.h5"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-length"] == "400000"
    assert answer.headers["content-security-policy"].startswith("sandbox;")
    assert client.get(dat).headers["content-disposition"].startswith("attachment")
    answer = client.get(report)
    assert answer.headers["content-disposition"].startswith("inline")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in policy
    assert "connect-src" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_only_exactly_what_a_receipt_names_is_sent(home, client, nom, files):
    write_runs(nom, files)
    links(client, nom)
    prefix = f"/api/instruments/{nom.name}/runs"
    for path in (
        "1/files/99/NOM_1.dat",  # another index
        "1/files/2/gone.dat",  # not there
        "1/files/3/link.dat",  # a link
        "1/files/4/fifo",  # no file
        "1/files/6/relative.dat",
        "1/files/9/passwd%00",
        "2/files/1/NOM_1.dat",  # another run
        "9/files/1/NOM_1.dat",
        "1/files/-1/NOM_1.dat",
        "1/files/1/..%2fNOM_1.dat",
        "1/files/1/",
    ):
        assert client.get(f"{prefix}/{path}").status_code == 404, path
    assert client.get(f"{prefix}/1/files/1/NOM_1.dat").status_code == 200
    # As a report beside it links to it.
    assert client.get(f"{prefix}/1/files/5/NOM_1.dat").status_code == 200


@pytest.mark.parametrize(
    "runs", [None, {}, [None, 5, {"number": 1, "receipts": [1]}], [{"receipts": {"a": []}}]]
)
def test_a_foreign_list_of_runs_is_no_error(client, nom, files, runs):
    write_runs(nom, files, runs=runs)
    told = links(client, nom)
    assert isinstance(told["runs"], list)
    assert client.get(f"/api/instruments/{nom.name}/runs/1/files/0/a").status_code == 404


def test_a_file_that_shrinks_while_it_is_sent_harms_nobody(client, nom, files):
    write_runs(nom, files)
    href = links(client, nom)["runs"][0]["receipts"]["files"]["files"][1]["href"]
    (files / "NOM_1.dat").write_bytes(b"")
    assert client.get(href).content == b""
    assert client.get("/health").status_code == 200
