from __future__ import annotations

from cloudforest.program.ad_schema import SEVERAL, SINGLE, TEXTS


def test_an_attribute_has_one_value_or_several():
    assert not SINGLE & SEVERAL
    assert all(each == each.lower() for each in SINGLE | SEVERAL | TEXTS)
