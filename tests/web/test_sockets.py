"""One tab's WebSocket: what passes, what counts as the person's act, and how the tab is sent away."""

import asyncio
import threading
from datetime import timedelta

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg

from st_auth import streamlit_facts as facts
from st_auth.live import HELD_AFTER
from tests.web.inprocess import image, rerun, script_finished

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
pytestmark = pytest.mark.usefixtures("runtime")


@pytest.fixture
def inside(browser):
    browser.log_in()
    return browser


@pytest.fixture
def tab(inside):
    tab = inside.socket()
    yield tab
    tab.close()


@pytest.fixture
def session(house, tab):
    return house.live[0]


def left(house, session) -> float:
    return session.seconds_left(house.clock.clock.monotonic())[0]


def heartbeat() -> bytes:
    message = BackMsg()
    message.app_heartbeat = True
    return message.SerializeToString()


def test_what_the_browser_says_reaches_the_app_and_back(house, tab):
    tab.say(rerun())
    tab.say("text", kind="text")
    tab.say(b"\xff\xff")

    assert [m.get("bytes", m.get("text")) for m in house.inner.received] == [rerun(), "text", b"\xff\xff"]


def test_a14_only_what_a_person_does_starts_the_idle_clock_again(house, tab, session):
    house.advance(HOUR)
    tab.say(rerun())
    assert left(house, session) == 3 * 3600  # the first one is the tab's own, when it connects

    tab.say(rerun(auto=True))
    tab.say(heartbeat())
    assert left(house, session) == 3 * 3600

    tab.say(rerun())
    assert left(house, session) == 4 * 3600


def test_a13_after_a_limit_no_message_passes_and_the_tab_is_sent_away(house, tab, session):
    tab.say(rerun("http://localhost:8501/sales"))
    house.advance(4 * HOUR)

    tab.say(rerun("http://localhost:8501/sales"))

    assert len([m for m in house.inner.received if m["type"] == "websocket.receive"]) == 1
    assert house.inner.received[-1] == {"type": "websocket.disconnect", "code": 4401}
    assert tab.sent_to == ["/auth/ended?why=idle&next=%2Fsales"]
    assert tab.sent[-1] == {"type": "websocket.close", "code": 4401}


def test_a13_an_end_closes_the_tab_and_what_the_app_still_sends_is_swallowed(house, tab, session):
    socket = house.inner.scopes[-1][facts.SOCKET_KEY]
    threading.Thread(target=house.core.live.end, args=(session, "ended")).start()
    tab.settle()
    before = len(tab.sent)

    house.run(lambda: socket.send({"type": "websocket.send", "bytes": image("/media/a.png")}))
    house.core.live.end(session, "again")
    socket.leave("again")
    socket.say("hello", 5)
    tab.settle()

    assert len(tab.sent) == before
    assert house.run(socket.receive) == {"type": "websocket.disconnect", "code": 4401}
    assert house.inner.received[-1]["type"] == "websocket.disconnect"


def test_a_browser_that_went_first_is_no_error(house, tab, session, caplog):
    tab.gone = True

    house.core.live.end(session, "ended")
    tab.settle()

    assert "Traceback" not in caplog.text


def test_a_renewed_login_sends_its_tab_to_the_page_it_was_on(house, tab, session):
    tab.say(rerun("http://localhost:8501/sales", query="x=1"))

    house.core.live.end(session, "renewed")
    tab.settle()

    assert tab.sent_to == ["/sales?x=1"]


def test_a23_a_tab_that_lies_about_its_address_goes_nowhere_else(house, tab, session):
    tab.say(rerun("https://evil.example//evil.example/"))

    house.core.live.end(session, "renewed")
    tab.settle()

    assert tab.sent_to == ["/"]


def test_a_tab_may_be_sent_to_one_of_our_pages(house, tab):
    house.inner.scopes[-1][facts.SOCKET_KEY].leave_to("/auth/logout")
    tab.settle()

    assert tab.sent_to == ["/auth/logout"]


def test_after_an_end_the_app_pushes_nobody_into_a_new_login(house, tab, session):
    socket = house.inner.scopes[-1][facts.SOCKET_KEY]
    session.ended = "logout"

    house.run(lambda: socket.send({"type": "websocket.send", "bytes": facts.auth_redirect("/auth/login?next=%2F")}))
    house.run(lambda: socket.send({"type": "websocket.send", "bytes": image("/media/a.png")}))

    assert tab.sent_to == []
    assert len(tab.sent) == 2


def test_a10_the_files_whose_addresses_pass_may_be_asked_for(house, tab, session):
    socket = house.inner.scopes[-1][facts.SOCKET_KEY]

    house.run(lambda: socket.send({"type": "websocket.send", "bytes": image("/media/a.png")}))
    house.run(lambda: socket.send({"type": "websocket.send", "bytes": image("/media/big.png", "x" * 5000)}))

    assert session.may_ask_for("/media/a.png")
    assert session.may_ask_for("/media/big.png")


def test_a10_a_download_that_is_anothers_is_not_made_for_this_tab(house, tab, runtime):
    runtime.media_file_mgr._deferred_callables["theirs"] = {"session_id": "another session"}

    for wish in ("theirs", "unknown"):
        message = BackMsg()
        message.backend_operation_request.deferred_file.file_id = wish
        tab.say(message.SerializeToString())

    assert len(house.inner.received) == 1
    assert b"unknown" in house.inner.received[0]["bytes"]


def test_the_first_run_that_ends_is_told_once(build_house):
    import gc

    from tests.web.inprocess import Browser

    house = build_house(st_auth={"freeze_heap": True})
    browser = Browser(house)
    browser.log_in()
    house.inner.first = [{"type": "websocket.send", "bytes": script_finished()}] * 2
    try:
        browser.socket().close()
        assert gc.get_freeze_count() > 0
        assert house.gate._freezes_left == 0
    finally:
        gc.unfreeze()


def test_while_the_store_is_silent_a_message_waits_and_is_not_lost(house, tab, session):
    house.clock.advance(timedelta(seconds=HELD_AFTER + 1))
    tab.say(rerun())
    assert house.inner.received == []
    assert "not lost" in tab.toasts[0]

    house.core.live.confirmed()

    async def soon():
        for _ in range(300):
            if house.inner.received:
                return
            await asyncio.sleep(0.005)

    house.run(soon)
    assert [m["bytes"] for m in house.inner.received] == [rerun()]


def test_a_message_that_waits_dies_with_the_session(house, tab, session):
    house.clock.advance(timedelta(seconds=HELD_AFTER + 1))
    tab.say(rerun())

    house.core.live.end(session, "ended")
    tab.settle()
    tab.settle()

    assert [m["type"] for m in house.inner.received] == ["websocket.disconnect"]
    assert tab.sent_to == ["/auth/ended?why=ended&next=%2F"]


def test_when_the_loop_is_closed_nothing_is_left_to_tell(house, tab, session):
    from st_auth.web.sockets import TabSocket

    async def make():
        return TabSocket(session, house.core.live, None, None, "", lambda: None)

    lonely = asyncio.run(make())

    lonely.leave("ended")
    lonely.say("x", 1)


def test_two_receivers_in_turn_lose_no_message(house, session, inside):
    """Streamlit's task may be cancelled while it waits: what the browser said then is the next one's."""
    from st_auth.web.sockets import TabSocket

    async def story():
        inbox = asyncio.Queue()
        socket = TabSocket(session, house.core.live, inbox.get, None, "", lambda: None)
        first = asyncio.ensure_future(socket.receive())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        inbox.put_nowait({"type": "websocket.receive", "bytes": rerun()})
        return await socket.receive()

    assert house.run(story)["bytes"] == rerun()
