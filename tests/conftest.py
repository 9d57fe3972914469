"""How thoroughly Hypothesis looks: `--hypothesis-profile=brief` for the mutation run."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("thorough", deadline=None, max_examples=100)
settings.register_profile(
    "brief",
    deadline=None,
    max_examples=40,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("thorough")
