"""Which tables hold the data of one job."""

from __future__ import annotations

from cloudforest.adapters.store.jobs import JOB_TABLES
from cloudforest.adapters.store.registration import tables_with

KEPT = {
    "allowance",
    "budget_charge",
    "cycle",
    "job_state",
    "log",
    "spent",
    "stage",
    "staged",
}
"""Decisions and history, which no plan copies and no restart drops."""


def test_every_table_of_a_job_is_copied_for_a_plan_or_kept():
    names = {each.name for each in tables_with("job")}
    assert names - {each.name for each in JOB_TABLES} - KEPT == set()
