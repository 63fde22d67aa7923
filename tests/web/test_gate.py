"""The gate: every request and every socket passes here, with a live session or not at all."""

import asyncio
from datetime import timedelta

import pytest

from st_auth import streamlit_facts as facts
from st_auth.errors import Unavailable
from tests.web.inprocess import HTTPS, Browser, image, rerun

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
XSRF = "_streamlit_xsrf=2|00000000|61626364|1; a=1"
SWEEP = [
    *(
        "/",
        "/sales",
        "/_stcore/stream",
        "/_stcore/metrics",
        "/_stcore/message",
        "/media/x.png",
        "/_stcore/upload_file/a/b",
        "/static/js/x.js",
    ),
    *(
        "/app/static/logo.png",
        "/component/x/y.js",
        "/_stcore/bidi-components/x",
        "/oauth2callback/",
        "//",
        "/_STCORE/health",
        "/_stcore/health/",
    ),
    *(
        "/_stcore/./health",
        "/x/../_stcore/health",
        "/_stcore//health",
        "/_stcore/health%2f..",
        "/_stcore/script-health-check",
        "/auth",
        "/authx",
    ),
    *(
        "/_stcore/host-config/x",
        "/robots.txt",
        "/favicon.png",
        "/%2e%2e/_stcore/health",
        "/manifest.json",
        "/_stcore/allowed-message-origins",
    ),
]


@pytest.fixture
def inside(browser):
    browser.log_in()
    return browser


# -- HTTP ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SWEEP)
def test_a27_without_a_login_nothing_reaches_the_app_but_what_a_waking_tab_needs(house, browser, path):
    answer = browser.fetch(path)

    assert answer.status in (401, 404)
    assert house.inner.scopes == []


@pytest.mark.parametrize("path", SWEEP)
def test_a27_a_document_without_a_login_is_sent_to_log_in(house, browser, path):
    answer = browser.visit(path)

    assert answer.status in (303, 404)
    assert answer.location.startswith("/auth/login?next=%2F") or answer.status == 404
    assert house.inner.scopes == []


@pytest.mark.parametrize("path", ["/_stcore/health", "/_stcore/host-config"])
def test_a_tab_that_wakes_up_gets_its_health_without_a_login(house, browser, path):
    browser.cookies = {"a": "1", house.gate.names.session: "x", "_streamlit_user": "forged"}

    assert browser.fetch(path).status == 200
    assert house.inner.header("cookie") == ["a=1"]


def test_the_host_config_is_for_the_own_host_only(house, browser):
    assert browser.fetch("/_stcore/host-config", host="evil.example").status == 421
    assert browser.fetch("/_stcore/health", host="10.0.0.1").status == 200
    assert browser.fetch("/auth/health", host="10.0.0.1").status == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_host_is_told_the_right_address(house, browser, method):
    answer = browser.fetch("/", method, host="evil.example")

    assert answer.status == 421
    assert "http://localhost:8501/" in answer.body
    assert house.inner.scopes == []


def test_another_name_of_this_machine_is_redirected_whole(browser):
    answer = browser.visit("/sales?x=%2F&y", host="127.0.0.1:8501")

    assert (answer.status, answer.location) == (308, "http://localhost:8501/sales?x=%2F&y")
    assert browser.fetch("/sales", "POST", host="127.0.0.1:8501").status == 421


@pytest.mark.parametrize("path", ["/%0d%0aSet-Cookie:%20a=b", "/Ж", "/%00", "/x%20y", "/%25", "//evil.example"])
def test_a23_no_path_writes_a_header_of_its_own_into_that_redirect(browser, path):
    answer = browser.visit(path, host="127.0.0.1:8501")

    assert answer.status == 308
    assert answer.location.startswith("http://localhost:8501/")
    assert answer.location.isascii() and answer.location.isprintable() and " " not in answer.location


@pytest.mark.parametrize("path", ["/_stcore/agent", "/_stcore/agent/x"])
def test_the_agent_api_is_closed_even_to_who_is_logged_in(inside, house, path):
    assert inside.fetch(path).status == 404
    assert house.inner.scopes == []


def test_with_a_login_the_app_answers_and_its_documents_are_kept_by_nobody(inside, house):
    house.inner.headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"cache-control", b"public"),
        (b"access-control-allow-origin", b"*"),
    ]

    answer = inside.visit("/sales")

    assert (answer.status, answer.body) == (200, "inner")
    assert answer.all("cache-control") == ["no-store"]
    assert answer.header("content-security-policy") == "frame-ancestors 'self'"
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("referrer-policy") == "same-origin"
    assert answer.header("access-control-allow-origin") == ""
    assert answer.header("strict-transport-security") == ""


def test_over_https_browsers_are_told_to_stay_there(build_house):
    answer = Browser(build_house(redirect_uri=HTTPS)).fetch("/_stcore/health")

    assert answer.header("strict-transport-security") == "max-age=31536000"


def test_a12_the_app_sees_neither_our_cookies_nor_what_a_client_says_about_itself(inside, house):
    inside.ask(
        "GET",
        "/sales",
        {"cookie": f"{house.gate.names.session}={inside.cookies[house.gate.names.session]}; _streamlit_user=x; {XSRF}"},
        raw=[(b"x-st-auth-login-id", b"forged"), (b"x_st_auth_login_id", b"forged"), (b"x-other", b"1")],
    )

    assert house.inner.header("cookie") == [XSRF]
    assert house.inner.header("x-st-auth-login-id") == house.inner.header("x_st_auth_login_id") == []
    assert house.inner.header("x-other") == ["1"]


@pytest.mark.parametrize("cookie", ["", "1", "1abc", "2" + "A" * 43, "1" + "A" * 42, "1" + "A" * 44, "1" + "!" * 43, "é"])
def test_a28_a_cookie_that_we_did_not_make_is_nobodys(house, browser, cookie):
    browser.cookies = {house.gate.names.session: cookie}

    assert browser.fetch("/sales").status == 401
    assert browser.visit("/sales").location.startswith(("/auth/ended?why=no_session", "/auth/login"))
    assert house.live == []


def test_a28_a_well_formed_cookie_that_is_unknown_is_not_adopted(house, browser):
    browser.cookies = {house.gate.names.session: "1" + "A" * 43}

    answer = browser.visit("/sales")

    assert answer.location == "/auth/ended?why=no_session&next=%2Fsales"
    browser.log_in()
    assert browser.cookies[house.gate.names.session] != "1" + "A" * 43


def test_public_paths_are_open_to_reading_only(build_house):
    house = build_house(st_auth={"public": ["/app/static/logo.png"]})
    browser = Browser(house)

    assert browser.fetch("/app/static/logo.png").status == 200
    assert browser.fetch("/app/static/logo.png", "POST").status == 401
    assert browser.fetch("/app/static/logo.png.bak").status == 401
    assert browser.fetch("/app/static/../static/logo.png").status == 401


def test_a20_an_act_that_another_site_asks_for_is_refused(inside, house):
    assert inside.fetch("/_stcore/upload_file/a/b", "PUT", origin="https://evil.example").status == 403
    assert inside.fetch("/component/x", "POST", site="cross-site").status == 403
    assert inside.fetch("/component/x", "POST").status == 200


def test_a10_a_file_is_given_only_to_the_login_that_its_address_was_sent_to(runtime, inside, house):
    bob = Browser(house)
    bob.log_in("bob")
    house.inner.first = [{"type": "websocket.send", "bytes": image("/media/abc.svg")}]
    tab = inside.socket()
    house.inner.first = []
    house.inner.headers = [(b"content-type", b"image/svg+xml"), (b"cache-control", b"max-age=9")]

    answer = inside.fetch("/media/abc.svg")

    assert answer.status == 200
    assert answer.all("cache-control") == ["private, no-store"]
    assert answer.header("cross-origin-resource-policy") == "same-origin"
    assert answer.header("content-security-policy").startswith("sandbox")
    assert bob.fetch("/media/abc.svg").status == 404
    assert inside.fetch("/media/other.png").status == 404
    assert inside.fetch("/_stcore/upload_file/a/b").status == 404
    tab.close()


def test_a_picture_is_no_markup_and_needs_no_sandbox(inside, house):
    house.live[0].issue("/media/a.png")
    house.inner.headers = [(b"content-type", b"image/png")]

    answer = inside.fetch("/media/a.png")

    assert answer.header("content-security-policy") == ""
    assert answer.header("cross-origin-resource-policy") == "same-origin"


def test_a_visit_is_an_act_of_the_person_and_a_script_that_fetches_is_none(inside, house):
    (session,) = house.live
    house.clock.advance(HOUR)
    inside.fetch("/static/x.js")
    assert session.seconds_left(house.clock.clock.monotonic())[0] == 3 * 3600

    inside.visit("/sales")

    assert session.seconds_left(house.clock.clock.monotonic())[0] == 4 * 3600


def test_after_the_idle_limit_a_visit_leads_to_the_page_that_says_so(inside, house):
    house.clock.advance(4 * HOUR)

    assert inside.visit("/sales").location == "/auth/ended?why=idle&next=%2Fsales"
    assert inside.fetch("/sales").status == 401


def test_a34_a_wall_clock_that_was_set_back_revives_nobody(inside, house):
    house.clock.advance(4 * HOUR)
    house.clock.jump(-4 * HOUR)

    assert inside.visit("/sales").location == "/auth/ended?why=idle&next=%2Fsales"


def test_a_session_that_this_process_does_not_know_is_read_from_the_store_once(inside, house):
    house.clock.advance(timedelta(seconds=301))
    house.core.live.evict()

    assert [inside.fetch("/x").status, inside.fetch("/x").status] == [200, 200]
    assert len(house.live) == 1


def test_requests_of_one_page_at_once_read_the_session_once(inside, house):
    house.clock.advance(timedelta(seconds=301))
    house.core.live.evict()
    reads, get = [], house.core.store.get
    cookie = {house.gate.names.session: inside.cookies[house.gate.names.session]}

    async def many():
        house.core.store.get = lambda key: reads.append(key) or get(key)
        return await asyncio.gather(*(house.gate.session_of(cookie) for _ in range(20)))

    found = house.run(many)

    assert {id(s) for s in found} == {id(house.live[0])}
    assert len(reads) == 1


def test_while_the_store_is_silent_nobody_new_is_let_in_and_who_is_here_stays(inside, house, caplog):
    stranger = Browser(house, {house.gate.names.session: "1" + "A" * 43})
    house.store_is_down()

    assert inside.visit("/sales").status == 200
    page = stranger.visit("/sales?x=1")
    assert (page.status, page.header("retry-after")) == (503, "5")
    assert "/sales?x=1" in page.links
    assert (stranger.fetch("/sales").status, stranger.fetch("/sales").header("retry-after")) == (503, "5")
    assert stranger.socket().was_refused
    assert "nobody new is let in" in caplog.text


@pytest.mark.parametrize("page", ["/auth/logout", "/auth/ended", "/auth/stay", "/auth/login", "/oauth2callback?state=x&code=y"])
def test_while_the_store_is_silent_our_pages_say_so_too(house, page, caplog):
    stranger = Browser(house, {house.gate.names.session: "1" + "A" * 43})
    house.store_is_down()

    assert stranger.visit(page).status == 503
    assert "Traceback" not in caplog.text


def test_a_head_request_is_answered_without_a_body(house, browser):
    answer = browser.ask("HEAD", "/", {"sec-fetch-dest": "document"})

    assert answer.body == ""
    assert browser.ask("HEAD", "/x", {}).status == 401


def test_a_plain_client_that_asks_for_html_is_sent_to_log_in(browser):
    assert browser.ask("GET", "/", {"accept": "text/html,*/*"}).status == 303
    assert browser.ask("GET", "/", {"accept": "application/json"}).status == 401
    assert browser.ask("POST", "/", {"accept": "text/html"}).status == 401


def test_a_frame_of_the_app_without_a_login_is_sent_to_log_in_but_never_straight(browser):
    answer = browser.ask("GET", "/", {"sec-fetch-dest": "iframe"})
    assert answer.status == 303

    assert browser.ask("GET", answer.location, {"sec-fetch-dest": "iframe"}).status == 200


# -- paths ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def based(build_house):
    return Browser(build_house(base_path="/team", redirect_uri="http://localhost:8501/team/oauth2callback"))


def test_below_a_base_path_everything_is_as_without_one(based):
    assert based.visit("/team").location == "/team/auth/login?next=%2Fteam"
    assert based.visit("/team/x").location == "/team/auth/login?next=%2Fteam%2Fx"
    assert based.log_in(next_path="/team/x").location == "/team/x"
    assert based.visit("/team/x").status == 200
    assert based.fetch("/team/_stcore/health").status == 200


@pytest.mark.parametrize("path", ["/", "/teams", "/auth/login", "/_stcore/health", "/_stcore/host-config", "/x/team/"])
def test_outside_of_the_base_path_there_is_nothing(based, path):
    assert based.fetch(path).status == 404
    page = based.visit(path)
    assert (page.status, page.links) == (404, ["/team/"])
    assert based.house.inner.scopes == []


def test_a27_a_mounted_app_is_judged_below_its_mount_and_links_there(build_house):
    house = build_house(redirect_uri="http://localhost:8501/st/oauth2callback")
    browser = Browser(house)

    def asked(path):
        scope = {**browser._scope("http", path, {"sec-fetch-dest": "empty"}, ()), "method": "GET", "root_path": "/st"}
        sent = []

        async def go():
            async def send(message):
                sent.append(message)

            await house.gate.http(scope, None, send)

        house.run(go)
        return sent[0]["status"]

    assert [asked(p) for p in ("/st/_stcore/health", "/st/sales", "/st_stcore/health", "/_stcore/health")] == [200, 401, 404, 404]
    assert browser.visit("/st/sales?x=1").location == "/st/auth/login?next=%2Fst%2Fsales%3Fx%3D1"


# -- WebSocket -----------------------------------------------------------------------------------------------------------------


def test_a01_a_socket_reaches_the_app_with_the_login_id_and_the_claims(inside, house):
    tab = inside.socket(
        cookie=f"{XSRF}; {house.gate.names.session}={inside.cookies[house.gate.names.session]}", x_st_auth_login_id="forged"
    )

    assert tab.kinds == ["websocket.accept"]
    assert house.inner.header("x-st-auth-login-id") == [house.live[0].login_id]
    (cookies,) = house.inner.header("cookie")
    assert cookies.startswith(f"{XSRF}; _streamlit_user=")
    assert house.gate.names.session not in cookies
    assert house.inner.scopes[-1][facts.SOCKET_KEY] in house.live[0].sockets
    tab.close()
    assert house.live[0].sockets == ()


def test_the_claims_are_the_same_to_the_byte_for_the_life_of_a_login(inside, house):
    from streamlit.web.server.starlette.starlette_websocket import _parse_user_cookie_signed

    found = []
    for _ in range(2):
        inside.socket().close()
        cookies = dict(part.split("=", 1) for part in house.inner.header("cookie")[0].split("; "))
        found.append(_parse_user_cookie_signed(cookies["_streamlit_user"], inside.origin))

    assert found[0] == found[1]
    assert (found[0]["name"], found[0]["is_logged_in"], found[0]["provider"]) == ("Ana Analyst", True, "okta")


@pytest.mark.parametrize(
    "headers",
    [{"origin": ""}, {"origin": "null"}, {"origin": "http://localhost:8502"}, {"sec_fetch_site": "cross-site"}, {"host": "127.0.0.1:8501"}],
)
def test_a03_a_socket_of_another_origin_is_refused_before_it_is_accepted(inside, house, headers):
    assert inside.socket(**headers).was_refused
    assert house.inner.scopes == []


def test_a_socket_without_a_login_is_accepted_only_to_be_sent_away(house, browser):
    tab = browser.socket()
    tab.say(rerun("http://localhost:8501/sales", query="x=1"))

    assert tab.kinds == ["websocket.accept", "websocket.send", "websocket.close"]
    assert tab.sent[0]["subprotocol"] == "streamlit"
    assert tab.sent[-1]["code"] == 4401
    assert tab.sent_to == ["/auth/ended?why=no_session&next=%2Fsales%3Fx%3D1"]
    assert house.inner.scopes == []


@pytest.mark.parametrize("data", [b"\xff\xff", b"", b"x" * 70_000, rerun("http://[")])
def test_whatever_a_stranger_says_there_it_is_sent_away(browser, data):
    tab = browser.socket()
    tab.say(data)

    assert tab.sent_to == ["/auth/ended?why=no_session&next=%2F"]


def test_a_socket_elsewhere_without_a_login_is_refused(house, browser):
    assert browser.socket("/_stcore/other").was_refused


def test_a_socket_whose_session_is_over_is_told_why(inside, house):
    house.clock.advance(4 * HOUR)
    tab = inside.socket()
    tab.say(rerun())

    assert tab.sent_to == ["/auth/ended?why=idle&next=%2F"]


def test_a_session_that_ends_while_its_tab_comes_is_sent_away(inside, house):
    (session,) = house.live
    house.core.live.end(session, "logout")
    tab = inside.socket()

    async def late():
        inbox = iter([{"type": "websocket.connect"}, {"type": "websocket.receive", "bytes": rerun()}])

        async def receive():
            return next(inbox)

        await house.gate._with_login(tab.scope, receive, tab._send, session, b"", "")

    tab.sent.clear()
    house.run(late)

    assert tab.sent_to == ["/auth/ended?why=logout&next=%2F"]
    tab.close()


def test_exposed_tokens_are_in_the_second_cookie_and_nowhere_without_the_option(build_house):
    import json

    from streamlit.web.server.server_util import get_cookie_secret
    from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value

    def tokens(house):
        browser = Browser(house)
        browser.log_in()
        browser.socket().close()
        cookies = dict(part.split("=", 1) for part in house.inner.header("cookie")[0].split("; "))
        return json.loads(decode_signed_value(get_cookie_secret(), "_streamlit_user_tokens", cookies["_streamlit_user_tokens"]))

    assert tokens(build_house()) == {}
    assert tokens(build_house(auth={"expose_tokens": ["id"]})).keys() == {"id_token"}
    assert tokens(build_house(auth={"expose_tokens": ["id", "access"]})).keys() == {"id_token", "access_token"}


def test_tokens_of_a_session_that_ended_elsewhere_are_not_exposed(build_house):
    house = build_house(auth={"expose_tokens": ["access"]})
    Browser(house).log_in()
    (session,) = house.live
    house.core.sessions.end_by_key(session.stored.record_key, "ended")

    assert house.run(lambda: house.gate._exposed_tokens(session)) == {}


def test_a_socket_is_refused_while_its_tokens_cannot_be_read(build_house):
    house = build_house(auth={"expose_tokens": ["access"]})
    browser = Browser(house)
    browser.log_in()
    house.store_is_down()

    assert browser.socket().was_refused


# -- in_script -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def open_house(build_house):
    return build_house(st_auth={"require_login": "in_script"})


def test_in_script_anybody_reaches_the_pages_but_not_what_is_for_who_is_known(open_house):
    stranger = Browser(open_house)

    assert stranger.visit("/").status == 200
    assert stranger.fetch("/static/js/x.js").status == 200
    assert stranger.fetch("/app/static/secret.csv").status == 401
    assert stranger.fetch("/_stcore/metrics").status == 401
    assert stranger.fetch("/_stcore/upload_file/a/b", "PUT").status == 404
    assert stranger.fetch("/x", "POST", origin="https://evil.example").status == 403
    assert stranger.fetch("/x", "POST").status == 200
    assert stranger.fetch("/media/a.png", "OPTIONS").status == 200


def test_in_script_a_browser_whose_login_ended_is_told_and_not_taken_for_a_stranger(open_house):
    browser = Browser(open_house)
    browser.log_in()
    open_house.clock.advance(4 * HOUR)

    assert browser.visit("/sales").location == "/auth/ended?why=idle&next=%2Fsales"
    tab = browser.socket()
    tab.say(rerun())
    assert tab.sent_to == ["/auth/ended?why=idle&next=%2F"]


def test_a02_in_script_an_anonymous_tab_has_a_handle_of_its_browser_and_no_claims(open_house):
    stranger = Browser(open_house)
    stranger.socket(cookie=f"{XSRF}; _streamlit_user=forged", x_st_auth_login_id="forged").close()

    (handle,) = open_house.inner.header("x-st-auth-login-id")
    assert handle.startswith("anonymous-")
    assert open_house.inner.header("cookie") == [XSRF]
    assert facts.SOCKET_KEY not in open_house.inner.scopes[-1]
    assert open_house.core.live.by_login.get(handle) is None


def test_a10_in_script_a_file_is_given_only_to_the_browser_that_it_was_made_for(runtime, open_house):
    open_house.inner.first = [{"type": "websocket.send", "bytes": image("/media/a.png")}]
    stranger = Browser(open_house)
    stranger.socket(cookie=XSRF).close()

    assert stranger.fetch("/media/a.png", cookie=XSRF).status == 200
    assert stranger.fetch("/media/b.png", cookie=XSRF).status == 404
    assert stranger.fetch("/media/a.png", cookie="_streamlit_xsrf=2|00000000|65666768|1").status == 404
    assert stranger.fetch("/media/a.png").status == 404


# -- proxies -------------------------------------------------------------------------------------------------------------------


def test_the_authors_own_trusted_headers_are_believed_from_a_trusted_proxy_only(build_house):
    from streamlit import config

    house = build_house(st_auth={"trusted_proxies": ["10.0.0.0/8"]})
    browser = Browser(house)
    browser.log_in()
    before = config.get_option("server.trustedUserHeaders")
    config.set_option("server.trustedUserHeaders", {"X-Team": "team"})
    try:
        browser.socket(x_team="sales").close()
        assert house.inner.header("x-team") == []
        browser.fetch("/x", x_team="sales", x_st_auth_login_id="forged")
        assert house.inner.header("x-team") == []
        assert house.inner.header("x-st-auth-login-id") == []

        browser.peer = "10.0.0.1"
        browser.fetch("/x", x_team="sales", x_st_auth_login_id="forged")
        assert house.inner.header("x-team") == ["sales"]
        assert house.inner.header("x-st-auth-login-id") == []
    finally:
        config.set_option("server.trustedUserHeaders", before)


def test_a_request_from_nowhere_is_a_strangers(house, browser):
    browser.peer = ""

    assert browser.fetch("/x").status == 401


def test_an_outage_is_told_by_its_own_error(house):
    house.store_is_down()

    with pytest.raises(Unavailable):
        house.run(lambda: house.gate.session_of({house.gate.names.session: "1" + "A" * 43}))


def test_the_heap_is_frozen_again_after_the_first_run_and_only_then(build_house):
    import gc

    house = build_house(st_auth={"freeze_heap": True})
    try:
        house.gate._run_ended()
        frozen = gc.get_freeze_count()
        house.gate._run_ended()
        assert frozen > 0
        assert gc.get_freeze_count() == frozen
    finally:
        gc.unfreeze()
