"""The book loads nothing from elsewhere: no script, no style, no font, no picture."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LOADS = {
    "script": ("src",),
    "link": ("href",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "iframe": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
}
ELSEWHERE = re.compile(r"^\s*(?:https?:)?//", re.IGNORECASE)
IN_STYLE = re.compile(r"""(?:url\(\s*|@import\s+)["']?\s*(?:https?:)?//[^)"'\s]+""", re.IGNORECASE)
IN_SCRIPT = re.compile(
    r"""(?:\bimport\s*\(?|\bfetch\(|\bfrom|\.src\s*=)\s*["'`](?:https?:)?//[^"'`]+""",
    re.IGNORECASE,
)
NOT_LOADED = {"canonical", "alternate", "next", "prev", "author", "license"}


class Loads(HTMLParser):
    """Collects what a page loads from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "link" and given.get("rel", "").lower() in NOT_LOADED:
            return
        for name in LOADS.get(tag, ()):
            if ELSEWHERE.match(given.get(name, "")):
                self.found.append(f"<{tag} {name}={given[name]!r}>")
        self.found += IN_STYLE.findall(given.get("style", ""))


def loads_from_elsewhere(path: Path) -> list[str]:
    """What a page, a style sheet or a script loads from another host."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".css":
        return IN_STYLE.findall(text)
    if path.suffix in {".js", ".mjs"}:
        return IN_SCRIPT.findall(text)
    page = Loads()
    page.feed(text)
    return page.found + IN_STYLE.findall(text) + IN_SCRIPT.findall(text)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book, built as `make docs` builds it."""
    made = tmp_path_factory.mktemp("book")
    subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-q", "-E", "-c", "docs", "-b", "html"),
            *("-d", str(made / "doctrees"), ".", str(made / "html")),
        ],
        cwd=ROOT,
        check=True,
    )
    return made / "html"


def test_the_book_loads_nothing_from_elsewhere(book: Path) -> None:
    files = [
        path for path in book.rglob("*") if path.suffix in {".html", ".css", ".js", ".mjs", ".svg"}
    ]
    assert len([path for path in files if path.suffix == ".html"]) > 5
    loads = {str(path.relative_to(book)): loads_from_elsewhere(path) for path in files}
    assert {name: found for name, found in loads.items() if found} == {}


def test_every_link_inside_the_book_leads_somewhere(book: Path) -> None:
    lost = []
    for page in book.rglob("*.html"):
        for target in re.findall(r'href="([^"#:]+)(?:#[^"]*)?"', page.read_text(encoding="utf-8")):
            if (
                not ELSEWHERE.match(target)
                and not (page.parent / target.partition("?")[0]).exists()
            ):
                lost.append(f"{page.relative_to(book)}: {target}")
    assert lost == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("page.html", '<script src="https://cdn.example/x.js"></script>'),
        ("page.html", '<link rel="stylesheet" href="//fonts.example/css">'),
        ("page.html", '<p style="background: url(https://x.example/a.png)">'),
        ("page.html", "<script>import('https://cdn.example/x.js')</script>"),
        ("style.css", '@import "https://fonts.example/css";'),
        ("style.css", "@font-face { src: url('https://fonts.example/f.woff2') }"),
        ("script.js", "fetch('https://x.example/data')"),
    ],
)
def test_a_load_from_elsewhere_is_noticed(tmp_path: Path, name: str, text: str) -> None:
    page = tmp_path / name
    page.write_text(text)
    assert loads_from_elsewhere(page)


def test_a_link_to_elsewhere_is_no_load(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<a href="https://example.org/">a paper</a>')
    assert loads_from_elsewhere(page) == []
