"""A Sphinx extension: links to files and folders of the repository that are no pages work in the site, too.

On a code host a link to ``../examples/sink_sqlite`` or to ``../src/livered_core/hooks/spec.py`` shows that folder or file.
In the site

- a link to a folder leads to its ``README.md`` or ``index.md``, where it has one that is a page, and
- any other folder, and any file, is shown on a page of its own, with its text or the names of what is in it.

A link to what is not there stays unresolved, and a strict build fails on it. The extension also writes the ``index.html``
at the top of the site, which leads to the first page.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from docutils import nodes  # type: ignore[import-untyped]
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

SHOWN = "repository"
"""Folder of the site for the pages of files and folders."""
LANGUAGES = {".py": "python", ".toml": "toml", ".xml": "xml", ".yml": "yaml", ".json": "json", ".sh": "sh"}
"""How files are coloured; others are not."""
LARGEST_BYTES = 1_000_000
"""A file that is larger is no text for people."""
HIDDEN = ("__pycache__", ".egg-info", ".pyc")
"""What names that end so are not shown in a folder."""

INDEX = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>livered</title>
<meta http-equiv="refresh" content="0; url={first}"></head>
<body><a href="{first}">livered</a></body></html>
"""


class LinksToFiles(SphinxTransform):
    """Have links to files and folders lead to pages of this site."""

    default_priority = 5

    def apply(self, **_: Any) -> None:
        """Replace what MyST made of such links: a download of a file, an unresolved reference of a folder."""
        for node in list(self.document.findall(addnodes.download_reference)):
            self._replace(node, str(node["reftarget"]))
        for node in list(self.document.findall(addnodes.pending_xref)):
            if node.get("reftype") == "myst" and node.get("refdomain") is None:
                self._replace(node, str(node["reftarget"]))

    def _replace(self, node: nodes.Element, target: str) -> None:
        root = Path(self.env.srcdir).resolve()
        path = (root / self.env.docname).parent.joinpath(target).resolve()
        if target.startswith("#") or not path.exists() or not path.is_relative_to(root):
            return
        page = page_of_folder(self.env, path) if path.is_dir() else None
        if page is not None:
            link: nodes.Element = addnodes.pending_xref(
                "",
                *node.children,
                refdomain="doc",
                reftype="myst",
                reftarget=page,
                reftargetid=None,
                refdoc=self.env.docname,
                refexplicit=True,
            )
        else:
            shown = path.relative_to(root).as_posix()
            shown_files(self.env).setdefault(self.env.docname, set()).add(shown)
            uri = self.app.builder.get_relative_uri(self.env.docname, f"{SHOWN}/{shown}")
            link = nodes.reference("", "", *node.children, internal=True, refuri=uri)
        node.replace_self(link)


def page_of_folder(env: BuildEnvironment, folder: Path) -> str | None:
    """Give the page that stands for a folder; None where there is none."""
    for name in ("README.md", "index.md"):
        page = env.path2doc(folder / name)
        if page in env.found_docs:
            return page
    return None


def shown_files(env: BuildEnvironment) -> dict[str, set[str]]:
    """Give the files and folders that are linked to, for each page from which they are."""
    if not hasattr(env, "livered_shown_files"):
        env.livered_shown_files = {}  # type: ignore[attr-defined]
    files: dict[str, set[str]] = env.livered_shown_files  # type: ignore[attr-defined]
    return files


def forget(_: Sphinx, env: BuildEnvironment, page: str) -> None:
    """Forget what a page linked to, because it is read anew."""
    shown_files(env).pop(page, None)


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Make a page of each file and folder that is linked to, and of what is in those folders."""
    root = Path(app.srcdir).resolve()
    waiting = sorted(set().union(*shown_files(app.env).values()))
    seen: set[str] = set()
    while waiting:
        shown = waiting.pop()
        if shown in seen:
            continue
        seen.add(shown)
        path = root / shown
        if path.is_dir():
            names = [entry for entry in sorted(path.iterdir()) if not entry.name.endswith(HIDDEN)]
            waiting += [entry.relative_to(root).as_posix() for entry in names]
            body = _listing(app, shown, names)
        else:
            body = _text(app, path)
        heading = f"<h1>{html.escape(PurePosixPath(shown).name)}</h1>\n<p>{html.escape(shown)}</p>\n"
        yield f"{SHOWN}/{shown}", {"title": shown, "body": heading + body, "parents": []}, "page.html"


def _listing(app: Sphinx, shown: str, names: list[Path]) -> str:
    items = []
    for entry in names:
        uri = app.builder.get_relative_uri(f"{SHOWN}/{shown}", f"{SHOWN}/{shown}/{entry.name}")
        items.append(f'<li><a href="{html.escape(uri)}">{html.escape(entry.name)}</a></li>')
    return "<ul>" + "".join(items) + "</ul>"


def _text(app: Sphinx, path: Path) -> str:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8") if len(data) <= LARGEST_BYTES else None
    except UnicodeDecodeError:
        text = None
    if text is None:
        return f"<p>{len(data):,} bytes, which are no text.</p>"
    highlighter = app.builder.highlighter  # type: ignore[attr-defined]
    block: str = highlighter.highlight_block(text, LANGUAGES.get(path.suffix, "text"))
    return block


def lead_to_first_page(app: Sphinx, error: Exception | None) -> None:
    """Write ``index.html`` at the top of the site."""
    if error is None and app.builder.format == "html":
        first = app.builder.get_target_uri(app.config.root_doc)
        Path(app.outdir, "index.html").write_text(INDEX.format(first=first), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx what is here."""
    app.add_transform(LinksToFiles)
    app.connect("env-purge-doc", forget)
    app.connect("html-collect-pages", pages)
    app.connect("build-finished", lead_to_first_page)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
