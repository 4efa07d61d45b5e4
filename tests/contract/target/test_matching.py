"""Matching by numbers and booleans."""

from __future__ import annotations

import pytest

BADGE, CLEARED, RATE, MOTTO = (
    f"urn:contoso:2.0:User:{each}" for each in ("badge", "cleared", "rate", "motto")
)
PRIMARY = 'emails[type eq "work"].primary'


@pytest.mark.parametrize("path", ["active", PRIMARY])
@pytest.mark.parametrize("value", [True, False])
async def test_booleans_are_matched_in_every_target(target, path, value):
    for each in (True, False):
        name = f"{each}@contoso.com"
        mail = {'emails[type eq "work"].value': name}
        await target.create("User", {"userName": name, path: each, **mail})
    (found,) = await target.find("User", path, value, ("userName", path))
    assert found.values == {"userName": f"{value}@contoso.com", path: value}


@pytest.mark.parametrize(
    ("path", "value", "other"),
    [(BADGE, 7, 70), (BADGE, 0, -1), (CLEARED, False, True), (RATE, 0.5, 5.0)],
)
async def test_extension_values_are_matched_by_their_type(
    scim2_target, path, value, other
):
    for each in (value, other):
        await scim2_target.create("User", {"userName": f"p{each}", path: each})
    (found,) = await scim2_target.find("User", path, value, ("userName", path))
    assert found.values == {"userName": f"p{value}", path: value}


async def test_whole_decimal_matches_the_integer(scim2_target):
    id_ = await scim2_target.create("User", {"userName": "p", RATE: 5.0})
    for value in (5, 5.0):
        assert [
            each.id for each in await scim2_target.find("User", RATE, value, ())
        ] == [id_]


async def test_number_text_matches_only_itself(scim2_target):
    await scim2_target.create("User", {"userName": "p", MOTTO: "70"})
    assert await scim2_target.find("User", MOTTO, "7", ()) == ()
