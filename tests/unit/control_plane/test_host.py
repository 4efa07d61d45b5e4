from __future__ import annotations

import pytest

from cloudforest.base.errors import Misconfigured
from cloudforest.control_plane.host import listen, url_of


@pytest.mark.parametrize(
    "address", ["0.0.0.0:8080", "contoso.com:80", "127.0.0.1", "127.0.0.1:http"]
)
def test_only_a_loopback_address_and_a_port_are_listened_on(address: str):
    with pytest.raises(Misconfigured, match="--listen"):
        listen(address)


def test_a_taken_port_is_told():
    with listen("127.0.0.1:0") as taken:
        address = url_of(taken).removeprefix("http://")
        with pytest.raises(Misconfigured, match=address):
            listen(address)
