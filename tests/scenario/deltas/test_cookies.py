"""A watermark that the directory rejects causes a full read, and loses nobody."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support.lab import Lab
from tests.support.sent import disabled, these
from tests.support.stored import forget_watermark, spoil_cookies


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda cookie: b"\0" * len(cookie), id="refused"),
        pytest.param(lambda cookie: cookie[: len(cookie) // 2], id="cut"),
        pytest.param(lambda _cookie: b"", id="lost"),
    ],
)
def test_spoiled_cookie_causes_a_full_read_and_loses_nobody(
    lab: Lab, change: Callable[[bytes], bytes]
) -> None:
    anna, bo = lab.people("anna", "bo")
    lab.group("team", anna, bo)
    lab.cycle()

    spoil_cookies(lab, change)
    assert lab.requests() == []
    lab.settled()

    lab.delete(anna)
    cy = lab.person("cy")
    spoil_cookies(lab, change)
    sent = lab.cycle()
    assert disabled("anna") in sent
    assert lab.created(cy) in sent
    assert lab.groups() == {"team": {"bo"}}
    lab.settled()


def test_missing_watermark_causes_a_full_read_and_loses_nobody(lab: Lab) -> None:
    anna, _ = lab.people("anna", "bo")
    lab.cycle()
    lab.delete(anna)
    cy = lab.person("cy")
    forget_watermark(lab)

    assert lab.cycle() == these(disabled("anna"), lab.created(cy))
    lab.settled()
