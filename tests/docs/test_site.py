"""The site: links to files and folders lead to pages of it, and a strict build fails on dead ones."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from examples_support import REPOSITORY

pytest.importorskip("sphinx", reason="the documentation is built with the tools of development")

INDEX = """\
# Index

[a file](../src/code.py) [a folder](../src) [a folder with a page](../examples/one) [a page](../README.md#here)
[what Sphinx does not know](../LICENSE)

```{toctree}
../README
../examples/one/README
```
"""
DEAD = """\
[gone](../src/gone.py) [no folder](../nothing/) [no page](gone.md) [no heading](../README.md#there) [outside](../../..)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """What Sphinx says of a small repository with good links and dead ones, and the site that it makes."""
    root = tmp_path_factory.mktemp("site") / "repository"
    for name, text in {
        "docs/index.md": f"{INDEX}\n{DEAD}",
        "README.md": "# Readme\n\n## Here\n\n[docs](docs/index.md)\n",
        "LICENSE": "All of it & more.\n",
        "src/code.py": "def answer():\n    return 42\n",
        "src/data.bin": "\0",
        "examples/one/README.md": "# One\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "src" / "data.bin").write_bytes(b"\xff\xfe\x00")
    for name in ("conf.py", "static", "tools/site_links.py"):
        source, target = REPOSITORY / "docs" / name, root / "docs" / name
        target.parent.mkdir(exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)
    command = [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "-q", "-c", "docs", ".", "site"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    return done, root / "site"


def test_links_to_files_and_folders_lead_to_pages(built):
    done, site = built
    page = (site / "docs" / "index.html").read_text()
    shown = {text: link for link, text in re.findall(r'href="([^"]+)">(?:<span[^>]*>)?([^<]+)', page)}
    assert shown["a file"] == "../repository/src/code.py.html", done
    assert shown["a folder"] == "../repository/src.html"
    assert shown["a folder with a page"] == "../examples/one/README.html"
    assert shown["a page"] == "../README.html#here"
    code = (site / "repository" / "src" / "code.py.html").read_text()
    assert re.sub("<[^>]+>", "", code).count("def answer():") == 1
    assert "All of it &amp; more." in (site / "repository" / "LICENSE.html").read_text()
    folder = (site / "repository" / "src.html").read_text()
    for name in ("code.py", "data.bin"):
        assert f'href="src/{name}.html"' in folder
        assert (site / "repository" / "src" / f"{name}.html").exists()


def test_a_strict_build_fails_on_dead_links_and_on_nothing_else(built):
    done, _ = built
    assert done.returncode == 1, done
    for target in ("../src/gone.py", "../nothing/", "gone.md", "there", "../../.."):
        assert f"{target}'" in done.stderr, target
    assert done.stderr.count("WARNING") == 5, done.stderr


def test_nothing_is_fetched_from_elsewhere(built):
    _, site = built
    every = list(site.rglob("*.html"))
    assert len(every) > 8
    for path in every:
        elsewhere = r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=\"(https?:)?//"
        assert not re.findall(elsewhere, path.read_text()), path


def test_the_site_begins_at_its_top(built):
    _, site = built
    assert "url=docs/index.html" in (site / "index.html").read_text()
