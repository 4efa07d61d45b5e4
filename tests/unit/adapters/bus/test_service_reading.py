from __future__ import annotations

import asyncio

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from tests.support.bus import page, request_for

from cloudforest.adapters.bus import protocol
from cloudforest.adapters.bus.service import AnswerReader, AnswerTimeouts
from cloudforest.base.errors import Interrupted


async def test_what_others_say_does_not_keep_an_answer_waiting():
    request = request_for()
    told: list[tuple[str, bytes]] = []

    async def say(agent: str, word: bytes) -> None:
        told.append((agent, word))

    def heard(agent: str, data: bytes) -> Msg:
        return Msg(
            Client(), subject=protocol.answer_subject(agent, request.id), data=data
        )

    messages: asyncio.Queue[Msg] = asyncio.Queue()

    async def chatter() -> None:
        while True:
            messages.put_nowait(heard("a2", protocol.KEEP_ALIVE))
            await asyncio.sleep(0.02)

    others = asyncio.create_task(chatter())
    reading = AnswerReader(request, "a1", send=say, timeouts=AnswerTimeouts(idle=0.2))
    first = heard("a1", protocol.pack_page(page("a1", request, 0, last=False)))
    answer = reading.read_pages(first, messages)
    assert (await anext(answer)).sequence == 0
    async with asyncio.timeout(30):
        with pytest.raises(Interrupted, match='"a1" stopped answering'):
            await anext(answer)
    others.cancel()

    assert ("a2", protocol.STOP) in told
