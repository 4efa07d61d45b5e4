from __future__ import annotations

from cloudforest.program.ad_schema import MULTI_VALUED, SINGLE_TEXTS, SINGLE_VALUED


def test_single_valued_and_multi_valued_attributes_are_disjoint():
    assert not SINGLE_VALUED & MULTI_VALUED
    assert all(
        each == each.lower() for each in SINGLE_VALUED | MULTI_VALUED | SINGLE_TEXTS
    )
