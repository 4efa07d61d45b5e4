"""A hybrid identity service with a store in memory and a manual clock."""

from __future__ import annotations

import pytest
from tests.support.hybrid import Hybrid, with_an_agent


@pytest.fixture
def hybrid() -> Hybrid:
    return with_an_agent()
