"""A-03: a WebSocket is opened by the app's own pages, at exactly its own origin, or not at all."""

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from st_auth.web import gate
from tests.attacks.inside import PUBLIC, inside
from tests.speaker import HandshakeRefused


def _any_origin() -> None:
    gate.is_own_origin = lambda *_: True


DISARM = {"A-03": _any_origin, "A-03.b": _any_origin, "A-03.c": _any_origin}

OTHERS = [
    "null",
    "http://sales.acme.test",
    "https://sales.acme.test:443",
    "https://sales.acme.test:8443",
    "https://sales.acme.test/",
    "https://sales.acme.test.",
    "https://SALES.acme.test",
    "HTTPS://sales.acme.test",
    "https://sales.acme.test.evil.example",
    "https://evil.example/sales.acme.test",
    "https://evilsales.acme.test",
    "https://acme.test",
    "https://x.sales.acme.test",
    "https://user@sales.acme.test",
    "https://sales.acme.test@evil.example",
    "https://sales.acme.test:443@evil.example",
    "https://sales.acme.test#@evil.example",
    "https://sales.acme.test\\@evil.example",
    "https://evil.example#https://sales.acme.test",
    "https://evil.example?https://sales.acme.test",
    "https://sales.acme.test,https://evil.example",
    "https://evil.example, https://sales.acme.test",
    "https://sales.acme.test https://evil.example",
    " https://sales.acme.test",
    "https://sales.acme.test\t",
    "https://sales%2eacme.test",
    "https://sales\u3002acme.test".encode().decode("latin-1"),
    "https://s\xe4les.acme.test",
    "https://[::1]",
    "https:sales.acme.test",
    "https:/sales.acme.test",
    "https:///sales.acme.test",
    "//sales.acme.test",
    "sales.acme.test",
    "wss://sales.acme.test",
    "ws://sales.acme.test",
    "file://",
    "chrome-extension://abcdefghijklmnop",
    "moz-extension://sales.acme.test",
    "http://localhost",
    "http://localhost:3000",
    "https://localhost",
    "http://127.0.0.1:9",
    "http://0.0.0.0:1",
    "http://198.51.100.7",
    "*",
    "",
]


@pytest.fixture(scope="module")
def sales(tmp_path_factory):
    with inside(tmp_path_factory.mktemp("origin")) as app:
        yield app


def test_a03_no_other_origin_opens_a_socket_with_a_persons_cookie(sales):
    assert len(OTHERS) > 40
    cookie = sales.login()
    assert sales.websocket([cookie, (b"origin", PUBLIC.encode())]).reached, "the app's own page gets in"

    opened = [o for o in [*OTHERS, None] if sales.websocket([cookie, *_origin(o)]).was_accepted]
    cross = [s for s in ("cross-site", "same-site", "none", "") if sales.websocket([cookie, *_origin(PUBLIC), _site(s)]).was_accepted]

    assert (opened, cross) == ([], [])


def _origin(origin):
    return [] if origin is None else [(b"origin", origin.encode("latin-1"))]


def _site(value):
    return b"sec-fetch-site", value.encode()


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
@given(
    st.text("htps:/salecmt.xn-@#?\\,[]%2e\t \x00\xff", max_size=40)
    | st.builds("{}{}{}".format, st.text(max_size=5), st.just(PUBLIC), st.text(max_size=5))
)
@example("https://evil.example")
def test_a03b_whatever_is_not_our_origin_letter_by_letter_is_refused(sales, origin):
    """What a lenient URL parser would take for the same origin is another one."""
    sent = origin.encode("utf-8")

    answer = sales.websocket([(b"origin", sent)])

    assert answer.was_accepted == (sent == PUBLIC.encode())


def test_a03c_a_page_elsewhere_gets_403_from_the_real_server(app, logged_in):
    """Each of these gets in at Streamlit's own check."""
    one = app()
    alice = logged_in(one, "alice")

    for origin in ("http://localhost:3000", f"http://127.0.0.1:{one.port}", f"https://localhost:{one.port}", "http://0.0.0.0:1"):
        with pytest.raises(HandshakeRefused, match="403"):
            alice.tab(one.url, origin=origin)
