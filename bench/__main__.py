"""Print all figures, side by side. Exit status 1 when one is not as it must be."""

from __future__ import annotations

import platform
import sys

from bench import checking, local, resting


def main() -> int:
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}")
    print()
    well = local.report()
    print()
    resting.report()
    print()
    well = checking.report() and well
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
