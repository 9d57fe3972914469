"""Importing this module skips a module of tests where a package of the optional extra is missing.

`pytest.importorskip("tests.adapters.needed")` comes before the imports of the engine.
"""

from __future__ import annotations

import pytest

from tests.adapters.conftest import NEEDED

for name in NEEDED:
    pytest.importorskip(name, reason=f"Bluefin's engine is not driven: no Python package {name}")
