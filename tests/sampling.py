"""Long runs: a sample by default, the same each time; `--long` takes them whole."""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import settings

WHOLE, SAMPLE = 20, 3
"""Moments at which each victim is killed."""
EXAMPLES = 25
"""Examples that Hypothesis makes, of the 100 that `--long` and CI try."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long", action="store_true", help="the long runs whole, not a sample"
    )


def takes_all(config: pytest.Config) -> bool:
    return bool(config.getoption("--long")) or os.environ.get("CI") == "true"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: runs with --long only")
    config.addinivalue_line("markers", "sampled: every fourth, all with --long, in CI")
    settings.register_profile("whole", settings())
    settings.register_profile("sample", settings(), max_examples=EXAMPLES)
    settings.load_profile("whole" if takes_all(config) else "sample")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Spread `moment`s at random, and alike in every run, over both cycles."""
    if "moment" in metafunc.fixturenames:
        whole = metafunc.config.getoption("--long")
        count = WHOLE if whole else SAMPLE
        chance = random.Random(metafunc.definition.nodeid)
        width = 2 / count
        moments = [round((n + chance.random()) * width, 2) for n in range(count)]
        metafunc.parametrize("moment", moments)


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    left_out = []
    if not config.getoption("--long"):
        left_out += [each for each in items if each.get_closest_marker("long")]
    if not takes_all(config):
        sampled = [each for each in items if each.get_closest_marker("sampled")]
        left_out += [each for n, each in enumerate(sampled) if n % 4]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [each for each in items if each not in left_out]
