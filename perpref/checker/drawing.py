"""How the search draws: as Hypothesis does, but the same whatever else is loaded.

Hypothesis looks for interesting numbers in the modules that happen to be imported. A seed in a
report would then mean another search in a program that imports more.
"""

from __future__ import annotations

from typing import Any

from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider

BACKEND = "perpref"


class Drawing(HypothesisProvider):
    """Hypothesis' own way to draw, without constants from anybody's source."""

    def _maybe_draw_constant(self, *args: Any, **kwargs: Any) -> None:
        return None


AVAILABLE_PROVIDERS[BACKEND] = f"{__name__}.{Drawing.__name__}"
