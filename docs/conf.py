"""Sphinx: how the site is made of the Markdown files of this repository, by ``make docs``.

The folder of sources is the repository itself (``sphinx-build -c docs . build/site``), so that a link from one file to
another means the same here and on a code host. Nothing is fetched: no inventories of other sites, no fonts from elsewhere.
"""

import sys
from importlib.metadata import version as _version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).with_name("tools")))

project = "livered"
author = "The livered developers"
copyright = "The livered developers. BSD-3-Clause"
version = release = _version("livered-core")

extensions = ["myst_parser", "site_links"]
root_doc = "docs/index"
include_patterns = [
    "*.md",
    "docs/**.md",
    "examples/*.md",
    "examples/*/README.md",
    "plugins/*/README.md",
]
# Not looked into: large, or not ours.
exclude_patterns = [
    ".*",
    "**/.*",
    "build",
    "dist",
    "output",
    "src",
    "tests",
    "**/__pycache__",
    "**/*.egg-info",
]
source_suffix = {".md": "markdown"}

nitpicky = True
myst_heading_anchors = 4
highlight_language = "text"
# "--config" is an option, and no dash.
smartquotes = False

html_theme = "furo"
html_title = f"livered {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"
pygments_dark_style = "monokai"
