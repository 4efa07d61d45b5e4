"""Long runs: CI takes a sample, the same each time; `--long` takes them whole."""

from __future__ import annotations

import random

import pytest

WHOLE, SAMPLE = 20, 3
"""Moments at which each victim is killed."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long", action="store_true", help="the long runs whole, not a sample"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: runs with --long only")


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
    if config.getoption("--long"):
        return
    long = [each for each in items if each.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [each for each in items if each not in long]
