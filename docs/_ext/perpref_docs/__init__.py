"""The book's own Sphinx extension: rules, theorems and code on one page, pulled together by id.

`sources` says what a book is made of and is the only module that knows how perpref and its proofs
name things; `rules` makes the cards, `tables` the indexes, `mathml` the formulas, `picture` the
drawings; `elsewhere` renders the command line's help and the JSON Schemas, `venues` the rulebooks,
`incidents` the scenarios of what happened.
"""

from __future__ import annotations

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

from perpref_docs import (
    elsewhere,
    incidents,
    mathml,
    picture,
    room,
    rules,
    sources,
    tables,
    venues,
)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register every part of the extension."""
    sources.setup(app)
    room.setup(app)
    rules.setup(app)
    tables.setup(app)
    elsewhere.setup(app)
    venues.setup(app)
    incidents.setup(app)
    picture.setup(app)
    mathml.setup(app)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
