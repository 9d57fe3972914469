"""The book: chapters of `spec/` and pages of `docs/`, read from the root of the project.

The root is the source folder, so that a warning names the file that a person edits, and a link
between two pages works on the file as well as in the book. `-c docs` says where this file is.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_ext")]

project = "perpref"
author = "the authors of perpref"
project_copyright = author

extensions = ["myst_parser", "perpref_docs"]
root_doc = "docs/index"
include_patterns = ["docs/**.md", "spec/**.md", "bench/*.md", "CHANGELOG.md", "CONTRIBUTING.md"]
exclude_patterns = [
    ".*",
    "**/.*",
    "docs/_*",
    "perpref",
    "proofs",
    "tests",
    "build",
    "**/node_modules",
    "**/__pycache__",
]


myst_enable_extensions = [
    "amsmath",
    "attrs_block",
    "attrs_inline",
    "colon_fence",
    "deflist",
    "dollarmath",
    "smartquotes",
]
myst_heading_anchors = 3
html_math_renderer = "mathml"
pygments_style = "friendly"
pygments_dark_style = "github-dark"

html_theme = "furo"
html_title = "perpref"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_copy_source = False
html_show_sourcelink = False
html_permalinks_icon = "¶"
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0b5c8a",
        "color-brand-content": "#0b5c8a",
    },
    "dark_css_variables": {
        "color-brand-primary": "#6cb8e6",
        "color-brand-content": "#6cb8e6",
    },
    "sidebar_hide_name": False,
}
templates_path: list[str] = []
# An example in JSON may leave something out with an ellipsis, which is not JSON.
suppress_warnings = ["misc.highlighting_failure"]
html_extra_path = ["_root"]
