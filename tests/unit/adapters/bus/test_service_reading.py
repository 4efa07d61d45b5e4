from __future__ import annotations

import asyncio

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from tests.support.bus import page, request_for

from cloudforest.adapters.bus import protocol
from cloudforest.adapters.bus.service import AnswerReader, AnswerTimeouts
from cloudforest.base.errors import Interrupted


async def test_messages_of_other_agents_do_not_extend_the_idle_timeout():
    request = request_for()
    sent: list[tuple[str, bytes]] = []

    async def send(agent: str, message: bytes) -> None:
        sent.append((agent, message))

    def message_from(agent: str, data: bytes) -> Msg:
        return Msg(
            Client(), subject=protocol.answer_subject(agent, request.id), data=data
        )

    messages: asyncio.Queue[Msg] = asyncio.Queue()

    async def chatter() -> None:
        while True:
            messages.put_nowait(message_from("a2", protocol.KEEP_ALIVE))
            await asyncio.sleep(0.02)

    others = asyncio.create_task(chatter())
    reader = AnswerReader(request, "a1", send=send, timeouts=AnswerTimeouts(idle=0.2))
    first = message_from("a1", protocol.pack_page(page("a1", request, 0, last=False)))
    answer = reader.read_pages(first, messages)
    assert (await anext(answer)).sequence == 0
    async with asyncio.timeout(30):
        with pytest.raises(Interrupted, match='"a1" stopped answering'):
            await anext(answer)
    others.cancel()

    assert ("a2", protocol.STOP) in sent
