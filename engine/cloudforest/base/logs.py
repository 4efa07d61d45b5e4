"""Logs, one event per line on standard error, and reports of bugs."""

from __future__ import annotations

import logging
import os
import platform
import sys
import tempfile
import traceback
from pathlib import Path

import structlog

from cloudforest import __version__


def configure_logging(*, json: bool, verbose: bool = False) -> None:
    """Send events of level info (debug when `verbose`) to standard error."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        )
    )
    # asyncio warns at the end of each TLS connection of the bus, without a reason.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.DEBUG if verbose else logging.INFO
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def write_bug_report(error: BaseException) -> Path:
    """Write the stack trace to a file, without values: they may be personal data."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [
        f"cloudforest {__version__}",
        f"Python {platform.python_version()} on {platform.system()}",
        *(f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames),
        *_exception_types(error),
    ]
    with tempfile.NamedTemporaryFile(
        "w", prefix="cloudforest-bug-", suffix=".txt", delete=False
    ) as file:
        file.write("\n".join(lines) + "\n")
    return Path(file.name)


def _exception_types(error: BaseException | None) -> list[str]:
    kinds = []
    while error is not None:
        kinds.append(f"{type(error).__module__}.{type(error).__qualname__}")
        error = error.__cause__ or error.__context__
    return kinds
