"""A-04: links and redirects lead where the configuration says; what a request says about hosts changes none of them."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from st_auth.web import gate, login
from tests.attacks.inside import PUBLIC, inside
from tests.servers.streamlit_app import auth_secrets


def _any_host() -> None:
    gate.host_answer = lambda *_: "ok"


def _believe_the_host() -> None:
    """As frameworks do that build links from the request."""
    _any_host()
    begin = login.LoginRoutes._begin

    async def believing(self, name, path, request, **how):
        page = await begin(self, name, path, request, **how)
        said = request.header(b"x-forwarded-host") or request.header(b"host")
        headers = [(k, v.replace(b"localhost%3A", said.encode() + b"%3A") if k == b"location" else v) for k, v in page.headers]
        return type(page)(page.status, page.body, headers)

    login.LoginRoutes._begin = believing


DISARM = {"A-04": _believe_the_host, "A-04.b": _any_host, "A-04.c": _any_host}

FORGED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Port": "1",
    "X-Forwarded-Server": "evil.example",
    "X-Forwarded-Prefix": "//evil.example",
    "X-Original-Host": "evil.example",
    "X-Host": "evil.example",
    "X-HTTP-Host-Override": "evil.example",
    "X-Original-URL": "//evil.example/",
    "X-Rewrite-URL": "//evil.example/",
    "Forwarded": "for=1.2.3.4;host=evil.example;proto=https",
    "Front-End-Https": "on",
}
WRONG = [
    "evil.example",
    "sales.acme.test.evil.example",
    "evil.example:443",
    "sales.acme.test:8443",
    "sales.acme.test:80",
    "sales.acme.test:0",
    "sales.acme.test:99999",
    "sales.acme.test:x",
    "sales.acme.test@evil.example",
    "evil.example@sales.acme.test",
    "sales.acme.test/",
    "sales.acme.test/@evil.example",
    "sales.acme.test?",
    "sales.acme.test#",
    "sales.acme.test?evil.example",
    "sales.acme.test\\evil.example",
    "sales.acme.test, evil.example",
    "sales.acme.test evil.example",
    "sales\t.acme.test",
    "sales.acme.test\t",
    "sales.acme.test\x00",
    "sales.acme.test%00",
    "sales%2eacme.test",
    "s\xe4les.acme.test",
    "[::1]",
    "[::1",
    "127.0.0.1",
    "127.0.0.1:8501",
    "localhost",
    "localhost:8501",
    "xn--sales-acme.test",
    ".sales.acme.test",
    ".",
    ":443",
    "",
]
MARK = "evil"


@pytest.fixture(scope="module")
def sales(tmp_path_factory):
    with inside(tmp_path_factory.mktemp("host")) as app:
        yield app


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    with inside(tmp_path_factory.mktemp("local"), origin="http://localhost:8501") as app:
        yield app


def test_a04_a_login_leads_to_the_configured_redirect_uri_whatever_headers_say(app, provider, person):
    one = app(secrets=auth_secrets(**provider.auth_section(pushed_authorization_requests=False)))  # where it stands in the address
    asked = []
    for headers in ({}, *({name: value} for name, value in FORGED.items()), FORGED):
        browser = person(headers=headers)
        steps = [browser.open(one.url, follow=False), browser.open(f"{one.origin}/auth/login?next=%2Fsales", follow=False)]
        assert not [s.header("location") for s in steps if MARK in (s.header("location") or "") or MARK in s.text]
        asked.append(parse_qs(urlsplit(steps[1].header("location")).query)["redirect_uri"])

    assert asked == [[f"{one.origin}/oauth2callback"]] * len(asked)


def test_a04b_another_host_gets_a_page_that_names_the_right_one_and_nothing_else(sales):
    cookie = sales.login()
    wrong = [host for host in WRONG if sales.http("/", [cookie], host=host.encode("latin-1")).status != 421]
    opened = [host for host in WRONG if sales.websocket([cookie, (b"origin", PUBLIC.encode())], host=host.encode("latin-1")).was_accepted]

    assert (wrong, opened) == ([], [])
    page = sales.http("/", [cookie], host=b"evil.example")
    assert PUBLIC in page.body
    assert MARK not in page.body
    assert sales.http("/", [cookie]).reached


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
@given(
    host=st.sampled_from(["127.0.0.1:8501", "[::1]:8501", "app.localhost:8501", "evil.example", "localhost:8501"]),
    path=st.text(max_size=20).map("/{}".format) | st.sampled_from(["/a\r\nX: y", "//evil.example", "/\\evil.example", "/€", "/a?b"]),
    query=st.text("".join(map(chr, range(33, 256))), max_size=10).map(lambda text: text.encode("latin-1")),
)
def test_a04c_an_alias_of_this_machine_leads_to_the_public_origin_and_no_further(local, host, path, query):
    answer = local.http(path, host=host.encode(), query_string=query)

    if host == "evil.example":
        assert answer.status == 421
    location = answer.header(b"location")
    if answer.status == 308:
        assert location.startswith("http://localhost:8501/")
        assert not [c for c in location if not "!" <= c <= "~"]
    assert urlsplit(location).netloc in ("", "localhost:8501", "idp.acme.test")
