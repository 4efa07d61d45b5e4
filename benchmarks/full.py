"""A full sync, compared with a bare client that pushes the same payloads."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import aiohttp

from benchmarks.installed import (
    LDIF,
    exported_forest,
    null_scim,
    up_once,
    write_tree,
    writes,
)

PEOPLE = 20_000
CONCURRENCY = 8
"""As in the built-in profile."""


async def push(url: str, payloads: list[list[str]]) -> float:
    """Send the same writes with a bare client; return the seconds."""
    queue = iter(payloads)
    headers = {"Content-Type": "application/scim+json"}

    async def worker(session: aiohttp.ClientSession) -> None:
        for method, path, body in queue:
            async with session.request(
                method, url + path, data=body.encode(), headers=headers
            ) as answer:
                await answer.read()

    began = time.perf_counter()
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for _ in range(CONCURRENCY):
            group.create_task(worker(session))
    return time.perf_counter() - began


def measure(folder: Path) -> None:
    tree = exported_forest(folder, PEOPLE)
    with null_scim() as url:
        write_tree(tree, url=url, source=LDIF)
        cycle, _ = up_once(tree)
        payloads = writes(url)
        again, _ = up_once(tree)
    with null_scim() as url:
        bare = asyncio.run(push(url, payloads))
    objects, whole = cycle["counts"]["create"], cycle["seconds"]
    print(f"full sync of {PEOPLE:,} people: {len(payloads):,} writes")
    print(f"  whole path    {objects / whole:8,.0f} objects/s  {whole:6.1f} s")
    print(f"  bare client   {objects / bare:8,.0f} objects/s  {bare:6.1f} s")
    print(f"  ratio         {whole / bare:8.2f}")
    print(f"  no-op cycle   {again['seconds']:8.1f} s, {again['requests']} requests")
