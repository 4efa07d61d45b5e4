"""A hybrid identity service over a store in memory, with a clock that stands still."""

from __future__ import annotations

import pytest
from tests.support.hybrid import Hybrid, with_an_agent


@pytest.fixture
def hybrid() -> Hybrid:
    return with_an_agent()
