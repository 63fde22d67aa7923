"""Browsers without a login: each is told apart by Streamlit's own cross-site token, and gets its own files only."""

import asyncio

import pytest
from hypothesis import given, strategies as some
from streamlit.proto.BackMsg_pb2 import BackMsg

from st_auth.web.visitors import Visitor, Visitors
from tests.web.inprocess import image

pytestmark = pytest.mark.usefixtures("runtime")


def cookie(token: str, mask: str = "00000000") -> bytes:
    return f"a=1; _streamlit_xsrf=2|{mask}|{token.encode().hex()}|1; b=2".encode()


def show(visitor: Visitor, *messages) -> list:
    sent = []

    async def send(message):
        sent.append(message)

    async def go():
        for message in messages:
            await visitor.watch(None, send)[1](message)

    asyncio.run(go())
    return sent


def hear(visitor: Visitor, *messages) -> dict:
    inbox = list(messages)

    async def receive():
        return inbox.pop(0)

    async def go():
        return await visitor.watch(receive, None)[0]()

    return asyncio.run(go())


def test_a_browser_is_the_same_visitor_in_each_tab():
    visitors = Visitors()

    assert visitors.of(cookie("abcd")) is visitors.of(cookie("abcd"))
    assert visitors.of(cookie("abcd")) is not visitors.of(cookie("efgh"))
    assert visitors.of(cookie("abcd")).handle.startswith("anonymous-")


def test_without_the_token_nobody_can_come_back_as_that_visitor():
    visitors = Visitors()

    one, two = visitors.of(b""), visitors.of(b"a=1")

    assert one.handle != two.handle
    assert one.handle.startswith("anonymous-")


def test_a10_a_file_is_for_the_browser_that_its_address_was_sent_to():
    visitors = Visitors()
    sent = show(visitors.of(cookie("abcd")), {"type": "websocket.send", "bytes": image("/media/a.png")}, {"type": "websocket.close"})

    assert [m["type"] for m in sent] == ["websocket.send", "websocket.close"]
    assert visitors.may_ask_for(cookie("abcd"), "/media/a.png")
    assert not visitors.may_ask_for(cookie("abcd"), "/media/b.png")
    assert not visitors.may_ask_for(cookie("efgh"), "/media/a.png")
    assert not visitors.may_ask_for(b"", "/media/a.png")


def test_a29_of_many_files_the_oldest_is_forgotten():
    visitor = Visitor("anonymous-x")
    show(visitor, *({"type": "websocket.send", "bytes": image(f"/media/{n}.png")} for n in range(257)))

    assert not visitor.may_ask_for("/media/0.png")
    assert visitor.may_ask_for("/media/1.png")
    assert visitor.may_ask_for("/media/256.png")


def test_a29_of_many_visitors_the_one_who_was_longest_away_is_forgotten():
    visitors = Visitors()
    first, second = visitors.of(cookie("first")), visitors.of(cookie("second"))
    for number in range(9_998):
        visitors.of(cookie(f"n{number}"))
    assert visitors.of(cookie("first")) is first

    visitors.of(cookie("one more"))

    assert visitors.of(cookie("first")) is first
    assert visitors.of(cookie("second")) is not second


def test_a10_a_download_that_is_anothers_is_not_made_for_a_visitor(runtime):
    runtime.media_file_mgr._deferred_callables["theirs"] = {"session_id": "another session"}
    wish = BackMsg()
    wish.backend_operation_request.deferred_file.file_id = "theirs"
    bye = {"type": "websocket.disconnect"}

    assert hear(Visitor("anonymous-x"), {"type": "websocket.receive", "bytes": wish.SerializeToString()}, bye) == bye
    assert hear(Visitor("anonymous-x"), {"type": "websocket.receive", "bytes": b"\xff"})["bytes"] == b"\xff"


@given(some.binary(max_size=60))
def test_no_cookie_breaks_the_reading(value):
    visitors = Visitors()

    assert visitors.of(b"_streamlit_xsrf=" + value).handle.startswith("anonymous-")
    assert not visitors.may_ask_for(b"_streamlit_xsrf=" + value, "/media/a.png")
