"""`python -m perpref.adapters.bluefin.page`: what of docs/bluefin.md is not written by hand.

The stories are those of the scenarios, which no seed changes; a test holds the page to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from perpref.adapters.bluefin import BUILDS, BrokenLaw, Report, laws
from perpref.adapters.bluefin.law_search import PUBLISHED
from perpref.adapters.bluefin.textbook import standings
from perpref.adapters.bluefin.wording import ending_lines, money, repeated_line, step_lines

PAGE = Path(__file__).parents[3] / "docs" / "bluefin.md"
PART = "<!-- {name}: begin -->\n{text}\n<!-- {name}: end -->"


def parts(reports: Mapping[str, Report]) -> dict[str, str]:
    """Each part of the page by its name."""
    return {
        "textbook": "\n".join(_textbook()),
        "summary": "\n".join(_summary(reports)),
        "stories": "\n".join(_stories(reports)),
    }


def put(page: str, name: str, text: str) -> str:
    """The page with one part in its place."""
    found = re.compile(rf"<!-- {name}: begin -->.*?<!-- {name}: end -->", re.DOTALL)
    if len(found.findall(page)) != 1:
        raise ValueError(f"the page has no one place for the part {name!r}")
    return found.sub(lambda _: PART.format(name=name, text=text), page)


def _textbook() -> Iterator[str]:
    yield "| textbook | Bluefin | what it does | its own rules |"
    yield "|---|---|---|---|"
    for entry in standings():
        rules = ", ".join(f"{{rule}}`{rule}`" for rule in entry.rules)
        own = ", ".join(f"`{rule}`" for rule in entry.by)
        yield f"| {rules} | {entry.stands} | {entry.says} | {own} |"


def _broken(reports: Mapping[str, Report]) -> dict[tuple[str, str], dict[str, BrokenLaw]]:
    """Every broken law with the builds that break it, the gravest first."""
    found: dict[tuple[str, str], dict[str, BrokenLaw]] = {}
    for build, report in reports.items():
        for entry in report.broken:
            found.setdefault(entry.key, {})[build] = entry
    return dict(sorted(found.items(), key=lambda entry: min(x.gravity for x in entry[1].values())))


def _summary(reports: Mapping[str, Report]) -> Iterator[str]:
    yield "| law | by | what it is | " + " | ".join(reports) + " |"
    yield "|---|---|---|" + "--:|" * len(reports)
    for (law, rule), builds in _broken(reports).items():
        verdict = next(iter(builds.values())).verdict
        amounts = [money(builds[build].amount) if build in builds else "" for build in reports]
        yield f"| {law} | `{rule}` | {verdict} | " + " | ".join(amounts) + " |"


def _stories(reports: Mapping[str, Report]) -> Iterator[str]:
    for (law, rule), builds in _broken(reports).items():
        build, found = next(iter(builds.items()))
        yield f"### {law[0].upper()}{law[1:]}, by `{rule}`"
        yield ""
        yield f"{found.says} It needs {found.needs}."
        yield ""
        terms = "" if found.terms == PUBLISHED else f", under {found.terms} terms"
        yield f"On {' and '.join(builds)}; told for {build}{terms}: {found.detail}."
        yield ""
        yield "```text"
        yield from (line.removeprefix("    ") for line in step_lines(found))
        yield "```"
        yield ""
        if again := repeated_line(found):
            yield again
            yield ""
        if found.endings:
            yield "Had the market ended there, and everybody left in the order of names:"
            yield ""
            yield "```text"
            yield from (line.removeprefix("    ") for line in ending_lines(found))
            yield "```"
            yield ""


def main() -> None:
    """Write the parts into the page."""
    page = PAGE.read_text("utf-8")
    for name, text in parts({build: laws(build, 1) for build in BUILDS}).items():
        page = put(page, name, text)
    PAGE.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
