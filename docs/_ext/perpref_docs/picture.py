"""A picture drawn as SVG, put into the page itself so that it takes the page's colours.

    ```{picture} pot.svg
    :alt: The pot and who has a claim on it
    ```

The path is relative to the page. `currentColor` works in it, and the classes of
`docs/_static/book.css`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class PictureDirective(SphinxDirective):
    """An SVG file inline, with words for those who cannot see it, and perhaps a caption."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        if "alt" not in self.options:
            raise self.error("a picture needs words: give it :alt:")
        name, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(name)
        try:
            drawn = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise self.error(f"the picture cannot be read: {error}") from error
        drawn = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>", "", drawn, flags=re.DOTALL).strip()
        label = nodes.raw("", self.options["alt"], format="text").astext()
        label = label.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
        drawn = drawn.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
        figure = nodes.figure(classes=["picture"])
        figure += nodes.raw("", drawn, format="html")
        if self.content:
            caption = nodes.caption()
            for paragraph in self.parse_content_to_nodes():
                caption += paragraph.children
            figure += caption
        return [figure]


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("picture", PictureDirective)
