"""Writes of one turn of the event loop leave together, in their order."""

import asyncio
from typing import cast

from serve_app.joined_writes import JoinedWrites


class Recorder:
    """A transport that notes what happens to it."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def write(self, data: bytes) -> None:
        self.seen.append(data)

    def close(self) -> None:
        self.seen.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.seen


async def test_head_and_body_are_one_write_and_the_next_answer_another() -> None:
    recorder = Recorder()
    joined = JoinedWrites(cast(asyncio.Transport, recorder))
    joined.write(b"head")
    joined.write(b"body")
    assert recorder.seen == []
    await asyncio.sleep(0)
    joined.write(b"next")
    await asyncio.sleep(0)
    assert recorder.seen == [b"headbody", b"next"]


async def test_what_was_written_is_sent_before_the_connection_is_closed() -> None:
    recorder = Recorder()
    joined = JoinedWrites(cast(asyncio.Transport, recorder))
    joined.write(b"last")
    joined.close()
    await asyncio.sleep(0)
    assert recorder.seen == [b"last", "closed"]


async def test_nothing_is_written_to_a_connection_that_was_lost_meanwhile() -> None:
    recorder = Recorder()
    joined = JoinedWrites(cast(asyncio.Transport, recorder))
    joined.write(b"too late")
    recorder.close()
    await asyncio.sleep(0)
    assert recorder.seen == ["closed"]
