"""`python -m perpref.adapters.bluefin.fetch`: bring the engine in, or say why not."""

from __future__ import annotations

import sys

from perpref.adapters.bluefin.install import BluefinUnavailable, WrongEngine, install

THERE, WRONG, NOT_TO_BE_HAD = 0, 1, 3


def main() -> int:
    """Install into the default folder and say where that is.

    Exit status: 0, it is there; 1, it is not what the hashes say; 3, it cannot be had here.
    """
    try:
        print(f"Bluefin's contracts are in {install()}")
    except WrongEngine as error:
        print(f"Bluefin's contracts are not those that are pinned: {error}", file=sys.stderr)
        return WRONG
    except BluefinUnavailable as error:
        print(f"Bluefin's contracts cannot be had here: {error}", file=sys.stderr)
        return NOT_TO_BE_HAD
    return THERE


if __name__ == "__main__":
    sys.exit(main())
