from __future__ import annotations

from cloudforest.adapters.ldap import ber
from cloudforest.adapters.ldap.ber import (
    SearchResultDone,
    decode_message,
    find_message_end,
)


def test_controls_are_encoded_as_specified():
    cookie = bytes(200)

    request = ber.dirsync_control(ber.INCREMENTAL_VALUES, cookie).value

    assert request is not None
    assert request.startswith(bytes.fromhex("3081d4 020480000000 020100 0481c8"))
    assert ber.paged_control(500, b"").value == bytes.fromhex("3006020201f40400")
    reply = bytes.fromhex("300b 0201ff 020100 0403616263".replace(" ", ""))
    assert ber.decode_dirsync_reply(reply) == (True, b"abc")


def test_search_result_done_has_code_message_and_controls():
    # searchResDone, code 12, message "no", with one critical control 1.2 = "abc".
    message = bytes.fromhex(
        "301f 020107 6509 0a010c 0400 04026e6f a00f 300d 0403312e32 0101ff 0403616263"
    )

    assert decode_message(message) == SearchResultDone(12, "no", {"1.2": b"abc"})


def test_message_end_is_found_only_when_all_bytes_arrived():
    whole = bytes.fromhex("3081 80") + bytes(128)

    assert find_message_end(bytearray(whole + b"next"), 0) == len(whole)
    for size in range(len(whole)):
        assert find_message_end(bytearray(whole[:size]), 0) is None
