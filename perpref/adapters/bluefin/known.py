"""Which laws Bluefin's exchange is known to break: docs/bluefin.md tells each of them.

`perpref check` exits with 1 when it finds anything, known or not. The project's own run asks
another question: are the findings the known ones, no more and no fewer?

    perpref check bluefin:boba --json build/boba.json
    python -m perpref.adapters.bluefin.known build/boba.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

Key = tuple[str, str]

ON_BOTH: frozenset[Key] = frozenset(
    {
        ("backing", "BF-END-2"),
        ("backing", "BF-FND-8"),
        ("backing", "BF-LIQ-11"),
        ("exit", "BF-ARI-1"),
        ("exit", "BF-BANK-5"),
        ("exit", "BF-END-6"),
        ("exit", "BF-FND-5"),
        ("exit", "BF-POS-1"),
    }
)
ON_ONE: dict[str, frozenset[Key]] = {
    "arbitrum": frozenset(
        {
            ("backing", "BF-ADL-7"),
            ("custody of fees", "BF-BANK-5"),
            ("custody of fees", "BF-POS-1"),
            ("exit", "BF-ARI-2"),
        }
    ),
    "boba": frozenset({("balance", "BF-ORD-10"), ("closing", "BF-POS-3")}),
}


def known(build: str) -> frozenset[Key]:
    """The laws that a build is known to break, each with the rule by which it does."""
    return ON_BOTH | ON_ONE[build]


def surprises(report: dict[str, Any]) -> list[str]:
    """What a report, as `perpref check --json` writes it, has more or less than is known."""
    build = str(report["laws"]["build"])
    found = {(entry["law"], entry["rule"]) for entry in report["laws"]["broken"]}
    told = [
        f"not known: engine and model disagree at {entry['command']}"
        for entry in report["differential"]["deviations"]
    ]
    told += [f"not reached: {rule}" for rule in report["differential"]["unreached"]]
    told += [f"not known: {law}, by {rule}" for law, rule in sorted(found - known(build))]
    told += [f"no longer found: {law}, by {rule}" for law, rule in sorted(known(build) - found)]
    return told


def main(arguments: list[str]) -> int:
    """Compare the reports in some files with what is known; 0 when nothing surprises."""
    if not arguments:
        print("usage: python -m perpref.adapters.bluefin.known REPORT.json ...", file=sys.stderr)
        return 2
    status = 0
    for name in arguments:
        try:
            report = json.loads(Path(name).read_text("utf-8"))
            build, told = report["laws"]["build"], surprises(report)
        except (OSError, ValueError, KeyError, TypeError) as error:
            print(f"{name}: this is no report of a check of Bluefin: {error!r}", file=sys.stderr)
            return 2
        for line in told:
            print(f"bluefin:{build}: {line}")
        if not told:
            count = len(known(build))
            print(f"bluefin:{build}: it breaks the {count} laws that it is known to break, no more")
        status = max(status, bool(told))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
