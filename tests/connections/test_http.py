"""An HTTP API keeps the contract: a real server that verifies each person's token, and no way for the token to get anywhere else."""

import gc
import io
import json
import logging
import pickle
import posixpath
import re
import threading
import time
import traceback
import types
import unicodedata
from functools import partial
from urllib.parse import unquote

import httpx2
import pytest
from hypothesis import given, settings, strategies as st
from streamlit.testing.v1 import AppTest

from st_auth import streamlit_facts as facts
from st_auth.clock import SYSTEM, Clock
from st_auth.config import ConnectionConfig, Host, parse
from st_auth.connections.http import Bearer
from st_auth.connections.http.below import below
from st_auth.connections.opening import Opening
from st_auth.errors import ConfigError, ConnectionFailed, LoginRequired, PermissionDenied
from st_auth.secret import Secret
from st_auth.testing import FakeIssuer
from st_auth.testing.connection_contract import ConnectionContract, ConnectionGround
from tests.connections.api_server import AUDIENCE, ApiServer, say
from tests.connections.grounds import builder

CONFIG = ConnectionConfig("it", "http", {}, "default")


class HttpGround(ConnectionGround):
    has_server_sessions = False

    def __init__(self, issuer, server, **more):
        self.server = server
        section = {"type": "st_auth.HTTPConnection", "url": f"{server.origin}/v1/", "token_from": "default"}
        super().__init__(issuer, {**section, **more})

    def who(self, handle):
        """Who the API says we are. It may have ended the person's sessions again while we were at it: then we ask again."""
        last = time.monotonic() + 10
        while (answer := handle.get("me")).status_code == 401 and time.monotonic() < last:
            pass
        return answer.raise_for_status().json()["sub"]

    def end_at_server(self, person):
        self.server.refused |= {token for token, grant in self.issuer._access.copy().items() if grant["sub"] == person}

    def refuse(self):
        self.server.stop()


@pytest.fixture
def issuer():
    with FakeIssuer(serve=True, audience=AUDIENCE) as issuer:
        yield issuer


@pytest.fixture
def server(issuer):
    with ApiServer(f"{issuer.issuer}/jwks", issuer.issuer) as server:
        yield server


@pytest.fixture
def build(issuer, server):
    with builder(partial(HttpGround, issuer, server)) as build:
        yield build


@pytest.fixture
def ground(build):
    return build()


class TestHTTP(ConnectionContract):
    checks = 2_000
    share = 0.25


@pytest.fixture
def ana(ground):
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        yield live


@pytest.fixture
def handle(ground, ana):
    return ground.handle(ana)


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
def test_each_method_goes_out_with_the_persons_token_and_the_answer_comes_as_it_is(handle, server, method):
    answer = getattr(handle, method)("orders", params={"since": "2026"})

    assert isinstance(answer, httpx2.Response)
    assert answer.json() == {"sub": "ana", "method": method.upper(), "path": "/v1/orders?since=2026", "body": ""}


def test_head_and_methods_of_ones_own_go_out_too(handle, server):
    assert handle.head("orders").status_code == 200
    assert handle.request("PROPFIND", "orders").json()["method"] == "PROPFIND"


def test_an_answer_that_is_no_success_is_returned_too(handle, server):
    server.answers["/v1/orders"] = lambda handler: say(handler, 503, {"error": "later"})

    assert handle.get("orders").status_code == 503
    assert len(server.seen) == 1


# -- where a request may go --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("orders", "/v1/orders"),
        ("/orders/1", "/v1/orders/1"),
        ("", "/v1/"),
        ("?page=../2", "/v1/?page=../2"),
        ("a//b", "/v1/a//b"),
        ("projects/group%2Fname", "/v1/projects/group%2Fname"),
        ("people/josé", "/v1/people/jos%C3%A9"),
        ("v1.2/.hidden/a..b", "/v1/v1.2/.hidden/a..b"),
        ("/users:list", "/v1/users:list"),
        ("{origin}/v1/orders#top", "/v1/orders"),
        ("{upper}/v1/orders", "/v1/orders"),
    ],
)
def test_a_path_or_an_absolute_address_below_the_url_is_asked(handle, server, asked, path):
    handle.get(asked.format(origin=server.origin, upper=server.origin.upper()))

    assert [seen.path for seen in server.seen] == [path]


ELSEWHERE = [
    "https://evil.example/v1/orders",
    "//evil.example/v1/orders",
    "///evil.example",
    "/\\evil.example/",
    "\\\\evil.example\\",
    "{origin}.evil.example/v1/",
    "http://evil.example@127.0.0.1/v1/",
    "http://ana:secret@127.0.0.1:{port}/v1/orders",
    "https://127.0.0.1:{port}/v1/orders",
    "http://127.0.0.1:1/v1/orders",
    "http://localhost:{port}/v1/orders",
    "ws://127.0.0.1:{port}/v1/orders",
    "{origin}/admin",
    "{origin}/v1",
    "{origin}/v12",
    "{origin}/v1/../admin",
    "{origin}/v1/%2e%2e/admin",
    "http:/orders",
    "http:orders",
    "users:list",
    "file:///etc/passwd",
    "..",
    "../admin",
    "a/../../admin",
    "./orders",
    "%2e%2e/admin",
    "%2E./admin",
    ".%252e/admin",
    "%25252525%32%65%25252e/admin",
    "a%2f..%2f..%2fadmin",
    "..%5cadmin",
    "..;/admin",
    "..;x=1/admin",
    "..%3b/admin",
    ".. /admin",
    "..%20/admin",
    "%c0%ae%c0%ae/admin",
    "\uff0e\uff0e/admin",
    "\u2025/admin",
    "..\uff0fadmin",
    "orders%00",
    "orders%0d%0aX: y",
    "orders\r\nX: y",
    "orders\t",
]


@pytest.mark.parametrize("asked", ELSEWHERE)
def test_what_is_not_below_the_url_is_refused_before_anything_is_sent(handle, server, asked):
    with pytest.raises(ValueError, match=r"only what is below http://127\.0\.0\.1:\d+/v1/"):
        handle.get(asked.format(origin=server.origin, port=server.origin.rpartition(":")[2]))

    assert server.seen == []


PIECES = ["..", ".", "/", "//", "\\", "%2e", "%2E", "%2f", "%5c", "%25", "%252e", ";", "@", ":", "?", "#", "v1", "admin", "evil.example"]
PIECES += [
    "https://",
    "http://",
    "api.example",
    "https://api.example/v1/",
    "\uff0e",
    "\uff0f",
    "%ef%bc%8e",
    "%c0%ae",
    " ",
    "%20",
    "\t",
    "%00",
    "é",
]


@given(st.one_of(st.lists(st.sampled_from(PIECES), max_size=9).map("".join), st.text(max_size=30)))
@settings(max_examples=1000)
def test_whatever_is_asked_for_stays_below_the_url_however_a_server_reads_it(asked):
    base = httpx2.URL("https://api.example/v1/")
    try:
        found = below(base, asked)
    except ValueError:
        return
    assert (found.scheme, found.host, found.port, found.userinfo) == ("https", "api.example", None, b"")
    for read in readings(found.raw_path.partition(b"?")[0].decode()):
        assert (posixpath.normpath(read) + "/").startswith("/v1/"), read


def readings(path):
    """The path as servers have been seen to read it: decoded up to four times, with backslashes as slashes, without `;…`, in NFKC."""
    for _ in range(5):
        for one in (path, unicodedata.normalize("NFKC", path)):
            slashed = one.replace("\\", "/")
            for read in (one, slashed, re.sub(";[^/]*", "", slashed), "/".join(part.strip() for part in slashed.split("/"))):
                yield "/" + read.lstrip("/")
        path = unquote(path, errors="replace")


def test_a_url_without_a_slash_at_its_end_means_what_is_below_it(build, server):
    ground = build(url=f"{server.origin}/v1")
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        ground.handle(live).get("orders")
        with pytest.raises(ValueError, match="only what is below"):
            ground.handle(live).get(f"{server.origin}/v1x/orders")

    assert [seen.path for seen in server.seen] == ["/v1/orders"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_returned_and_not_followed(handle, server, status):
    with ApiServer() as elsewhere:
        server.answers["/v1/orders"] = lambda handler: say(handler, status, Location=f"{elsewhere.origin}/v1/orders")

        answer = handle.get("orders")

        assert (answer.status_code, answer.headers["Location"]) == (status, f"{elsewhere.origin}/v1/orders")
        assert elsewhere.seen == []
        assert answer.next_request.headers.get("Authorization", "***") == "***"


@pytest.mark.parametrize("name", ["follow_redirects", "auth", "cookies", "extensions", "cert"])
def test_an_argument_that_could_lead_the_token_elsewhere_is_refused_with_a_sentence(handle, server, name):
    with pytest.raises(TypeError, match=f"^{name}= is not taken here: .*"):
        handle.get("orders", **{name: True})
    assert server.seen == []


@pytest.mark.parametrize("name", ["Authorization", "authorization", "Proxy-Authorization", "Host", "Transfer-Encoding"])
def test_the_headers_that_say_who_and_where_cannot_be_set(handle, server, name):
    for headers in ({name: "x"}, [(name, "x")], {name.encode(): b"x"}, httpx2.Headers({name: "x"})):
        with pytest.raises(ValueError, match="is set here for each request"):
            handle.get("orders", headers=headers)
    assert server.seen == []


def test_a_header_that_is_more_than_a_line_is_refused_without_its_value(handle, server):
    with pytest.raises(ValueError, match="X-Note must be one line") as caught:
        handle.get("orders", headers={"X-Note": "s3cret\r\nAuthorization: x"})
    assert "s3cret" not in str(caught.value)
    with pytest.raises(ValueError, match="X Note must be one line"):
        handle.get("orders", headers={"X Note": "y"})
    assert server.seen == []


@pytest.mark.parametrize("asked", [b"orders", None, 7, ["orders"]])
def test_an_address_that_is_no_text_is_a_type_error(handle, asked):
    with pytest.raises(TypeError, match="url is a text"):
        handle.get(asked)


def test_a_text_that_says_another_thing_of_itself_is_judged_by_what_is_sent(handle, server):
    class Evil(str):
        __slots__ = ()

        def __str__(self):
            return "https://evil.example/"

    with pytest.raises(ValueError, match="only what is below"):
        handle.get(Evil("orders"))


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "trace", "GET /", "", "GET\r\n"])
def test_methods_that_tunnel_or_send_the_token_back_are_refused(handle, server, method):
    with pytest.raises(ValueError, match="other than CONNECT and TRACE"):
        handle.request(method, "orders")
    assert server.seen == []


def test_cookies_are_neither_kept_nor_shared(ground, handle, server):
    server.answers["/v1/login"] = lambda handler: say(handler, 200, {}, Set_Cookie="who=ana; Path=/")

    assert handle.get("login").cookies["who"] == "ana"
    handle.get("me")
    handle.raw.get(f"{server.origin}/v1/login")
    handle.raw.get(f"{server.origin}/v1/me")
    bob = ground.log_in("bob")
    with ground.runs.of(bob.login_id):
        ground.handle(bob).get("me")

    assert [seen.headers.get("cookie") for seen in server.seen] == [None] * 5


def test_each_person_has_a_client_of_their_own_that_ends_with_their_login(ground, handle, ana):
    bob = ground.log_in("bob")
    with ground.runs.of(bob.login_id):
        of_bob = ground.handle(bob).raw
    of_ana = handle.raw
    assert of_ana is not of_bob

    ground.log_out(ana)
    ground.core.pool._closing.close()

    assert of_ana.is_closed
    assert not of_bob.is_closed


def test_a_client_that_the_app_has_closed_is_opened_again(handle):
    handle.raw.close()

    assert handle.get("me").json()["sub"] == "ana"


def test_the_client_itself_asks_nothing_but_what_is_below_the_url(handle, server):
    with ApiServer() as elsewhere:
        server.answers["/v1/away"] = lambda handler: say(handler, 302, Location=f"{elsewhere.origin}/v1/orders")
        for url in (f"{elsewhere.origin}/v1/orders", f"{server.origin}/admin", f"{server.origin}/v1/away"):
            with pytest.raises(ValueError, match="only what is below"):
                handle.raw.get(url, follow_redirects=True)
        assert elsewhere.seen == []


# -- the token: fresh, and once more after a 401 -------------------------------------------------------------------------------


def test_a_token_at_its_end_is_renewed_before_it_is_sent(ground, issuer, server):
    issuer.tokens = {"expires_in": 0.001}
    live = ground.log_in("ana")
    issuer.tokens = None

    with ground.runs.of(live.login_id):
        assert [ground.handle(live).get("me").status_code for _ in range(3)] == [200, 200, 200]

    assert issuer.refresh_count == 1
    assert len({seen.token for seen in server.seen}) == 1


def stream():
    yield b"one "
    yield b"two"


BODIES = {
    "bytes": lambda: {"content": b"one two"},
    "text": lambda: {"content": "one two"},
    "form": lambda: {"data": {"a": "one two"}},
    "json": lambda: {"json": {"a": "one two"}},
    "files": lambda: {"files": {"a": b"one two"}, "data": {"b": "3"}},
    "named files": lambda: {"files": (pair for pair in [("a", ("a.txt", b"one two"))])},
    "none": dict,
}


@pytest.mark.parametrize("body", BODIES)
def test_after_a_401_the_same_request_is_sent_once_more_with_another_token(ground, handle, issuer, server, body):
    handle.get("me")
    ground.end_at_server("ana")

    answer = handle.post("orders", **BODIES[body]())

    assert answer.json()["sub"] == "ana"
    first, second = server.seen[1:]
    assert first.body == second.body
    assert b"one" in first.body or body == "none"
    assert first.token != second.token
    assert issuer.refresh_count == 1


@pytest.mark.parametrize("body", ["content", "files"])
def test_a_body_that_is_a_stream_is_sent_once_and_the_401_is_the_answer(ground, handle, issuer, server, body):
    handle.get("me")
    ground.end_at_server("ana")

    answer = handle.post("orders", **{"content": {"content": stream()}, "files": {"files": {"a": io.BytesIO(b"one two")}}}[body])

    assert answer.status_code == 401
    assert b"one two" in server.seen[-1].body
    assert len(server.seen) == 2
    assert issuer.refresh_count == 0


def test_an_api_that_takes_no_token_gets_two_and_the_provider_is_not_asked_at_each_request(handle, issuer, server):
    server.answers["/v1/orders"] = lambda handler: say(handler, 401, {"error": "never"})

    assert [handle.get("orders").status_code for _ in range(4)] == [401] * 4

    assert issuer.refresh_count == 1
    assert len(server.seen) == 5
    assert handle.get("me").json()["sub"] == "ana"


def openings(token):
    """The openings of a person who gets `token` with a number, a new one whenever one was refused."""
    refusals = []

    def renewed(refused):
        if refused is not None:
            refusals.append(refused)
        return Opening(CONFIG, {}, "", Secret(f"{token}{len(refusals)}"), "ana", "login", "{}", renewed)

    return renewed


def test_after_five_seconds_another_token_is_tried_again():
    now, asked = [100.0], []

    def refuse(request):
        asked.append(request.headers["Authorization"])
        return httpx2.Response(401, stream=httpx2.ByteStream(b""))

    clock = Clock(now=SYSTEM.now, monotonic=lambda: now[0])
    bearer = Bearer("it", httpx2.URL("https://api.example/"), openings("token"), httpx2.MockTransport(refuse), clock)
    for at in (100.0, 104.9, 105.1):
        now[0] = at
        assert bearer.handle_request(httpx2.Request("GET", "https://api.example/orders")).status_code == 401

    assert asked == ["Bearer token0", "Bearer token1", "Bearer token1", "Bearer token1", "Bearer token2"]


@pytest.mark.parametrize("token", ["s3cret\r\nX: y", "s3cret token", "s3crét"])
def test_a_token_that_cannot_stand_in_a_header_is_not_sent_and_not_told(token):
    bearer = Bearer("it", httpx2.URL("https://api.example/"), openings(token), httpx2.MockTransport(pytest.fail))

    with pytest.raises(ConnectionFailed) as caught:
        bearer.handle_request(httpx2.Request("GET", "https://api.example/orders"))

    assert caught.value.code == "token_not_accepted"
    assert token not in told(caught.value)


def test_where_there_is_no_other_token_the_401_is_the_answer_and_the_login_goes_on(ground, issuer, server):
    issuer.tokens = {"refresh_token": None}
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        ground.handle(live).get("me")
        ground.end_at_server("ana")

        assert ground.handle(live).get("me").status_code == 401

    assert not live.ended


def test_where_the_provider_renews_no_more_the_login_is_over(ground, handle, ana, issuer):
    handle.get("me")
    ground.end_at_server("ana")
    issuer.answers["/token"] = httpx2.Response(400, json={"error": "invalid_grant"})

    with pytest.raises(LoginRequired) as caught:
        handle.get("me")

    assert caught.value.code == "session_ended"
    assert ana.ended


# -- the token: nowhere else -----------------------------------------------------------------------------------------------------


def reachable(root):
    """Everything that can be reached from an object without going through modules, classes, functions and what is ours."""
    found, todo = {}, [root]
    while todo:
        one = todo.pop()
        is_ours = type(one).__module__.startswith(("st_auth", "tests"))
        if id(one) not in found and not is_ours and not isinstance(one, _NO_WAY):
            found[id(one)] = one
            todo += gc.get_referents(one)
    return found.values()


_NO_WAY = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)


def texts_of(root):
    return "\n".join(
        one if isinstance(one, str) else one.decode("latin-1") for one in reachable(root) if isinstance(one, str | bytes | bytearray)
    )


def told(error):
    """What a traceback shows, and what can be reached from the local variables of its frames, but for the tests' own."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename != __file__]
    return "".join([*traceback.format_exception(error), *(texts_of(list(frame.f_locals.values())) for frame in frames)])


def test_no_way_leads_from_an_answer_to_the_token(handle, server):
    server.answers["/v1/away"] = lambda handler: say(handler, 302, Location=f"{server.origin}/v1/me")

    for answer in (handle.get("me"), handle.post("me", content=stream()), handle.get("away"), handle.raw.get(f"{server.origin}/v1/me")):
        token = server.seen[-1].token
        assert len(token) > 100
        assert token not in texts_of(answer)
        assert token.encode() not in pickle.dumps(answer)


def test_the_request_of_an_answer_shows_that_there_was_a_token(handle):
    assert handle.get("me").request.headers["Authorization"] == "***"


def test_what_raise_for_status_raises_holds_no_token(handle, server):
    server.answers["/v1/orders"] = lambda handler: say(handler, 500, {})
    answer = handle.get("orders")

    with pytest.raises(httpx2.HTTPStatusError) as caught:
        answer.raise_for_status()

    assert server.seen[-1].token not in texts_of(caught.value.request) + texts_of(caught.value.response)


def cut(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"half")
    handler.close_connection = True


def junk(handler):
    handler.wfile.write(b"HTTP/9 what?\r\n\r\n")
    handler.close_connection = True


def not_gzip(handler):
    say(handler, 200, {}, Content_Encoding="gzip")


@pytest.mark.parametrize("broken", [cut, junk, not_gzip])
def test_an_answer_that_breaks_is_told_without_the_token_and_without_frames_that_hold_it(handle, server, broken):
    server.answers["/v1/orders"] = broken

    with pytest.raises(ConnectionFailed, match="“it” failed") as caught:
        handle.get("orders")

    assert caught.value.code == "unreachable"
    assert caught.value.hint
    _require_silence(caught.value, server.seen[-1].token)


@pytest.mark.parametrize("broken", [cut, junk])
def test_not_even_an_error_of_the_client_itself_has_frames_that_hold_the_token(handle, server, broken):
    server.answers["/v1/orders"] = broken

    with pytest.raises(httpx2.RemoteProtocolError) as caught:
        handle.raw.get(f"{server.origin}/v1/orders")

    _require_silence(caught.value, server.seen[-1].token)


def _require_silence(error, token):
    assert len(token) > 100
    while error is not None:
        assert token not in told(error)
        assert token not in texts_of(getattr(error, "_request", None))
        error = error.__cause__ or error.__context__


def test_a_body_of_the_callers_that_fails_is_told_without_the_token(handle, server):
    def fails():
        yield b"one"
        raise KeyError("the caller's own")

    handle.get("me")
    with pytest.raises(ConnectionFailed, match="could not be sent") as caught:
        handle.post("orders", content=fails())

    assert caught.value.code == "request_failed"
    assert isinstance(caught.value.__cause__, KeyError)
    assert server.seen[-1].token not in told(caught.value)


def test_nothing_that_httpx2_logs_holds_the_token(handle, server, caplog):
    caplog.set_level(logging.DEBUG)
    for name in ("httpx2", "httpcore2", "httpcore2.http11", "httpcore2.connection", "st_auth"):
        caplog.set_level(logging.DEBUG, name)

    handle.post("me", json={})
    server.answers["/v1/orders"] = junk
    with pytest.raises(ConnectionFailed):
        handle.get("orders")

    assert "send_request_headers" in caplog.text
    assert {seen.token for seen in server.seen}.pop() not in caplog.text + "".join(str(vars(record)) for record in caplog.records)


def test_a16_neither_handle_nor_client_show_the_token(handle, ana, ground, server):
    handle.get("me")

    shown = f"{handle!r} {handle} {handle.raw!r} {vars(handle.raw)!r} {vars(handle.raw._transport)!r}"
    assert server.seen[-1].token not in shown


# -- what else is promised ---------------------------------------------------------------------------------------------------------


def test_it_is_no_sql_connection_and_says_what_it_is(handle):
    for name in ("query", "cursor"):
        with pytest.raises(AttributeError, match=rf"HTTPHandle has no '{name}'; it has close, delete, forget_login, get, "):
            getattr(handle, name)


def test_it_has_no_roles(ground, ana):
    with pytest.raises(TypeError, match="no roles"):
        ground.handle(ana, role="admin")


def test_the_sections_headers_go_out_with_what_the_login_says_now(build, issuer, server):
    ground = build(headers={"X-Name": "{name}", "Accept": "application/json", "X-Fixed": "one"})
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        handle = ground.handle(live)
        handle.get("me")
        issuer.people["ana"]["name"] = "Ana Ünder"
        ground.end_at_server("ana")
        handle.get("me", headers={"X-Fixed": "two"})

    first, last = server.seen[0].headers, server.seen[-1].headers
    assert (first["x-name"], first["accept"], first["x-fixed"]) == ("Ana Analyst", "application/json", "one")
    assert (last["x-name"].encode("latin-1").decode(), last["x-fixed"]) == ("Ana Ünder", "two")


def test_a_claim_that_is_no_header_is_refused_without_its_value(build, issuer, server):
    ground = build(headers={"X-Name": "{name}"})
    issuer.people["ana"]["name"] = "Ana\r\nAuthorization: x"
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id), pytest.raises(PermissionDenied, match="in the header X-Name") as caught:
        ground.handle(live).get("me")

    assert caught.value.code == "claim_unusable"
    assert server.seen == []


@pytest.mark.parametrize("timeout", [0.05, httpx2.Timeout(5, read=0.05)])
def test_a_server_that_says_nothing_is_given_up(handle, server, timeout):
    done = threading.Event()
    server.answers["/v1/orders"] = lambda _: done.wait(20)

    with pytest.raises(ConnectionFailed) as caught:
        handle.get("orders", timeout=timeout)

    done.set()
    assert caught.value.code == "unreachable"


def test_the_timeouts_are_the_sections(build):
    ground = build(timeout=3)
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        assert ground.handle(live).raw.timeout == httpx2.Timeout(3)


def test_an_answer_that_does_not_end_is_over_when_the_login_is(ground, handle, ana, server):
    begun, over, pieces = threading.Event(), threading.Event(), []

    def drip(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        handler.close_connection = True
        while len(pieces) < 1000 and not over.wait(0.005):
            handler.wfile.write(b"x")
            pieces.append("x")
            begun.set()

    def log_out():
        begun.wait(10)
        ground.log_out(ana)

    server.answers["/v1/orders"] = drip
    threading.Thread(target=log_out).start()
    with pytest.raises(LoginRequired):
        handle.get("orders")
    over.set()
    assert len(pieces) < 1000


def test_https_goes_through_the_environments_proxy_which_never_sees_the_token(build, monkeypatch):
    ground = build(url="https://api.example/v1/")
    live = ground.log_in("ana")
    with ApiServer() as proxy, ground.runs.of(live.login_id):
        proxy.answers["api.example:443"] = lambda handler: say(handler, 502)
        monkeypatch.setenv("https_proxy", proxy.origin.removeprefix("http://"))
        with pytest.raises(ConnectionFailed):
            ground.handle(live).get("me")

    assert [(seen.method, seen.path, seen.token) for seen in proxy.seen] == [("CONNECT", "api.example:443", "")]


def test_plain_http_to_this_machine_goes_through_no_proxy(handle, server, monkeypatch):
    handle.get("me")
    handle.raw.close()
    with ApiServer() as proxy:
        for name in ("http_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.origin)
        assert handle.get("me").json()["sub"] == "ana"
        assert proxy.seen == []


# -- the section -------------------------------------------------------------------------------------------------------------------


def problems(**section):
    auth = {"redirect_uri": "http://localhost:8501/oauth2callback", "cookie_secret": "x" * 32, "client_id": "x", "client_secret": "x"}
    auth["server_metadata_url"] = "https://issuer.example/.well-known/openid-configuration"
    whole = {"type": "st_auth.HTTPConnection", "url": "https://api.acme.com/v1/", "token_from": "default", **section}
    connections = {"it": {key: value for key, value in whole.items() if value is not None}}
    try:
        parse({"auth": auth, "connections": connections}, Host(port=8501), env={})
    except ConfigError as error:
        return [problem.key.removeprefix("connections.it.") for problem in error.problems]
    return []


@pytest.mark.parametrize("url", ["https://api.acme.com", "https://api.acme.com:8443/a/b.c", "http://127.0.0.1:8000/", "http://[::1]/v1"])
def test_https_addresses_and_plain_ones_of_this_machine_are_taken(url):
    assert problems(url=url, timeout=5, headers={"X-Tenant": "{tenant}"}) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://api.acme.com/",
        "ftp://api.acme.com/",
        "api.acme.com",
        "https://",
        "https://ana@api.acme.com/",
        "https://api.acme.com/?key=1",
        "https://api.acme.com/?",
        "https://api.acme.com/#x",
        "https://{tenant}.acme.com/",
        "https://api.acme.com/../v1/",
        "https://api.acme.com/v1/..;/",
        "https://api.acme.com/%2e%2e/",
        "https://api.acme.com//v1/",
        "https://api.acme.com/v1\\",
        7,
        None,
    ],
)
def test_an_address_that_could_mean_something_else_is_a_problem(url):
    assert problems(url=url) == ["url"]


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"token_from": None}, "token_from"),
        ({"token_from": "nobody"}, "token_from"),
        ({"rules": "engine"}, "rules"),
        ({"rules": "file"}, "rules"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": True}, "timeout"),
        ({"headers": {"Authorization": "Basic x"}}, "headers.Authorization"),
        ({"headers": {"host": "other"}}, "headers.host"),
        ({"headers": {"X Y": "z"}}, "headers.X Y"),
        ({"headers": {"X-Y": 1}}, "headers.X-Y"),
        ({"headers": {"X-Y": "a\nb"}}, "headers.X-Y"),
        ({"headers": "X-Y"}, "headers"),
        ({"password": "x"}, "password"),
        ({"exchange": True}, "exchange"),
    ],
)
def test_what_an_http_section_may_not_say_is_a_problem(section, key):
    assert problems(**section) == [key]


# -- Streamlit's door --------------------------------------------------------------------------------------------------------------


def page():
    import streamlit as st

    api = st.connection("it", type="st_auth.HTTPConnection")
    for method in ("get", "post", "put", "patch", "delete", "options"):
        st.text(getattr(api, method)("me").text)
    st.text(str(api.head("me").status_code))
    st.text(api.request("PROPFIND", "me").json()["method"])
    st.text(sorted(name for name in vars(type(api)) if not name.startswith("_")))
    api.reset()


def test_a36_st_connection_leads_to_the_handle_of_whoever_runs_the_script(ground, server):
    seen = {}
    for person in ("ana", "bob"):
        live = ground.log_in(person)
        app = AppTest.from_function(page)
        app.user = {"is_logged_in": True, facts.LOGIN_ID_KEY: live.login_id}
        with facts.stand_in(ground.core):
            app.run()
        assert not app.exception
        texts = [text.value for text in app.text]
        assert [json.loads(text)["sub"] for text in texts[:6]] == [person] * 6
        assert texts[6:8] == ["200", "PROPFIND"]
        seen[person] = texts[8]
        assert ground.core.pool._opened == {}  # reset closes this person's

    assert seen["ana"] == "['delete', 'get', 'head', 'options', 'patch', 'post', 'put', 'request']"
