"""A preview cannot write into the live data of its job: mypy refuses it."""

from __future__ import annotations

from pathlib import Path

from mypy import api

CYCLE = """
from cloudforest.model.jobs import ReadKey
from cloudforest.provisioning.run import CycleContext

async def run(context: CycleContext) -> None:
    store, preview_reads = context.store, context.live_read_key
    await store.load_watermark(preview_reads)
    await store.add_inquiries(context.key_name, [])
"""
MISTAKES = """
    await store.add_inquiries(preview_reads, [])
    await store.begin_import(preview_reads)
    await store.save_effects(ReadKey(context.job.name), "c", [])
    await store.remove_effects(context.job.name, [])
    await store.retry_escrowed(context.key_name, None, context.clock())
    await store.drop_job_data(context.key_name)
"""


def test_preview_cannot_write_by_the_key_that_it_reads_live_data_by(
    tmp_path: Path,
) -> None:
    module = tmp_path / "cycle.py"
    module.write_text(CYCLE + MISTAKES)
    cache = ["--cache-dir", str(tmp_path / "cache")]
    report, errors, _ = api.run(["--follow-imports=silent", *cache, str(module)])
    assert not errors
    refused = [int(line.split(":")[1]) for line in report.splitlines()[:-1]]
    first = len(CYCLE.splitlines()) + 2
    assert refused == list(range(first, first + 6)), report
