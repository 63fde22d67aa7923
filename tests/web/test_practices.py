"""RFC 9700 and the best practice for browser-based apps, held against what a browser sees of us."""

import base64
import logging
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from st_auth.oauth.pending import PendingLogin
from st_auth.oauth.profile import resolve
from tests.web.inprocess import HTTPS, Browser

ORIGIN = "http://localhost:8501"
EVIL = "https://evil.example/in"
FORGED = {
    "x-forwarded-host": "evil.example",
    "x-forwarded-proto": "ftp",
    "x-forwarded-port": "6666",
    "x-forwarded-prefix": "/evil",
    "x-forwarded-server": "evil.example",
    "x-forwarded-for": "203.0.113.66",
    "x-real-ip": "203.0.113.66",
    "x-client-ip": "203.0.113.66",
    "forwarded": 'for=203.0.113.66;host=evil.example;proto="ftp"',
    "x-original-url": "/evil",
    "x-rewrite-url": "/evil",
    "x-original-host": "evil.example",
    "x-host": "evil.example",
    "x-forwarded-user": "bob",
    "x-forwarded-email": "bob@example.com",
    "x-auth-request-user": "bob",
    "x-auth-request-email": "bob@example.com",
    "x-auth-request-access-token": "t0ken",
    "x-remote-user": "bob",
    "remote-user": "bob",
    "x-st-auth-login-id": "forged",
    "x_st_auth_login_id": "forged",
}


def callback_of(house, away, person="ana"):
    callback = urlsplit(house.issuer.authorize(away.location, person))
    return f"{callback.path}?{callback.query}"


def tokens_of(house):
    """What the provider will have given, in the order of its answers."""
    given = []
    house.issuer.tokens = lambda answer: given.append(answer) or answer
    return given


def elsewhere(address):
    """Whether an address leads a browser out of the app and of its provider."""
    parts = urlsplit(address)
    return bool(parts.netloc) and f"{parts.scheme}://{parts.netloc}" not in (ORIGIN, "https://issuer.example")


@pytest.mark.parametrize("path", ["/auth/login", "/auth/logout", "/auth/ended", "/auth/stay", "/oauth2callback", "/", "/sales"])
@pytest.mark.parametrize("site", ["none", "same-origin", "cross-site"])
def test_bcp01_no_address_of_ours_sends_anybody_where_a_parameter_says(house, path, site):
    names = ("next", "return_to", "redirect", "redirect_uri", "post_logout_redirect_uri", "url", "target", "iss", "provider", "state")
    for is_in in (False, True):
        browser = Browser(house)
        if is_in:
            browser.log_in()
        for name in names:
            answer = browser.visit(f"{path}?{name}={quote(EVIL, safe='')}", site=site, referer=EVIL)
            assert not elsewhere(answer.location), name
            assert [link for link in answer.links if elsewhere(link)] == [], name
            assert "evil.example" not in urlsplit(answer.location).netloc
    house.issuer.violations.clear()


def test_bcp01_what_the_browser_is_sent_to_the_provider_with_lands_here_only(house, browser):
    away = browser.visit(f"/auth/login?provider=okta&redirect_uri={quote(EVIL, safe='')}&next={quote(EVIL, safe='')}")

    assert parse_qs(urlsplit(away.location).query)["redirect_uri"] == [f"{ORIGIN}/oauth2callback"]
    assert browser.come_back(away).location == "/"


def test_bcp02_the_callback_is_guarded_by_state_nonce_and_pkce_and_belongs_to_one_browser(house, browser):
    away = browser.go_to_provider()
    sent = parse_qs(urlsplit(away.location).query)
    url = callback_of(house, away)

    assert sent.keys() >= {"state", "nonce", "code_challenge"}
    assert Browser(house).visit(url, site="cross-site").status == 400
    assert house.issuer.token_calls == 0
    assert browser.visit(url, site="cross-site").status == 303


def test_bcp03_a_state_serves_once_and_a_callback_that_comes_again_asks_for_no_token(house, browser):
    away = browser.go_to_provider()
    held = dict(browser.cookies)
    url = callback_of(house, away)
    browser.visit(url, site="cross-site")

    replayed = [Browser(house, dict(held)).visit(url, site="cross-site") for _ in range(3)]

    assert house.issuer.token_calls == 1
    assert {answer.status for answer in replayed} == {400}
    assert all("already finished" in answer.body for answer in replayed)
    assert len(house.live) == 1


def test_bcp03_a_state_that_ended_in_an_error_is_used_up_too(house, browser):
    house.issuer.claims = {"nonce": "x"}
    away = browser.go_to_provider()
    held = dict(browser.cookies)
    url = callback_of(house, away)
    assert browser.visit(url, site="cross-site").status == 502
    house.issuer.claims = None

    again = Browser(house, held).visit(url, site="cross-site")

    assert (again.status, house.issuer.token_calls) == (400, 1)


def test_pkce03_the_verifier_leaves_us_sealed_and_serves_once(house, browser):
    away = browser.go_to_provider()
    ((name, sealed),) = browser.cookies.items()
    pending = PendingLogin.from_json(house.core.vault.open_attempt(sealed, now=house.clock.now()))
    verifier = pending.code_verifier.reveal()

    raw = base64.urlsafe_b64decode(sealed.partition(".")[2] + "===") if "." in sealed else sealed.encode()
    for text in (sealed, away.location, away.body, raw.decode("latin-1")):
        assert verifier not in text
        assert base64.urlsafe_b64encode(verifier.encode()).decode().rstrip("=") not in text
    url = callback_of(house, away)
    answer = browser.visit(url, site="cross-site")

    assert any(c.startswith(f"{name}=") and "Max-Age=0" in c for c in answer.all("set-cookie"))
    assert name not in browser.cookies
    assert Browser(house, {name: sealed}).visit(url, site="cross-site").status == 400
    (exchange,) = [r for r in house.issuer.requests if r.url.path == "/token"]
    assert parse_qs(exchange.content.decode())["code_verifier"] == [verifier]


def test_bcp16_no_header_that_a_client_sends_says_who_it_is_or_where_we_are(house, caplog):
    caplog.set_level(logging.INFO)
    honest, forger = Browser(house), Browser(house)
    forged = {name.replace("-", "_"): value for name, value in FORGED.items() if "_" not in name}
    raw = [(name.encode(), value.encode()) for name, value in FORGED.items()]

    away = forger.visit("/auth/login?provider=okta&next=/", **forged)
    assert parse_qs(urlsplit(away.location).query)["redirect_uri"] == [f"{ORIGIN}/oauth2callback"]
    callback = urlsplit(callback_of(house, away, "ana"))
    landed = forger.visit(f"{callback.path}?{callback.query}", site="cross-site", **forged)

    assert landed.location == "/"
    assert [(s.stored.card.subject, s.stored.card.address) for s in house.live] == [("ana", "127.0.0.1")]
    assert "203.0.113.66" not in caplog.text
    assert forger.ask("GET", "/page", {"accept": "text/html"}, raw=raw).status == 200
    assert house.inner.paths == ["/page"]
    assert "forged" not in [value for name in ("x-st-auth-login-id", "x_st_auth_login_id") for value in house.inner.header(name)]
    stranger = honest.ask("GET", "/page", {"accept": "text/html"}, raw=raw)
    assert stranger.location.startswith("/auth/login?next=")
    assert house.inner.paths == ["/page"]


def test_bcp16_on_the_socket_the_login_id_is_ours_alone(house, browser):
    browser.log_in()

    browser.socket(**{name.replace("-", "_"): value for name, value in FORGED.items() if "_" not in name})

    (login_id,) = house.inner.header("x-st-auth-login-id")
    assert login_id == house.live[0].login_id


def test_bba01_a_client_without_secret_and_key_is_refused_where_the_section_does_not_say_that_it_is_public():
    section = {"profile": "generic", "issuer": "https://issuer.example", "client_id": "app"}

    with pytest.raises(Exception, match="client_secret: is missing"):
        resolve("x", section, file="f")
    assert resolve("x", {**section, "token_endpoint_auth_method": "none"}, file="f").client_secret is None


def test_bba01_a_login_is_a_code_that_this_server_exchanges_with_its_secret(house, browser):
    given = tokens_of(house)
    away = browser.go_to_provider()
    landed = browser.come_back(away)

    assert parse_qs(urlsplit(away.location).query)["response_type"] == ["code"]
    (exchange,) = [r for r in house.issuer.requests if r.url.path == "/token"]
    assert exchange.headers["authorization"].startswith("Basic ")
    seen = str([away.location, landed.headers, landed.body, browser.cookies])
    assert [name for name in ("access_token", "refresh_token", "id_token") if given[0][name] in seen] == []


def test_bba02_over_https_every_cookie_of_ours_is_secure_http_only_lax_and_for_this_host_alone(build_house):
    browser = Browser(build_house(redirect_uri=HTTPS))
    away = browser.go_to_provider()
    landed = browser.come_back(away)
    ended = browser.visit("/auth/logout", site="same-origin")

    cookies = [c for answer in (away, landed, ended) for c in answer.all("set-cookie")]

    assert len(cookies) >= 4
    for cookie in cookies:
        name, *attributes = (part.strip() for part in cookie.split(";"))
        assert name.startswith("__Host-"), name
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(attributes), name
        assert not any(a.lower().startswith("domain") for a in attributes), name


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        {"origin": "http://localhost:9999", "sec-fetch-site": "same-site"},
        {"origin": "null"},
        {"origin": ""},
    ],
)
def test_bba03_what_another_site_posts_changes_nothing(house, browser, headers):
    browser.log_in()

    for path in ("/auth/logout", "/auth/stay", "/auth/login", "/oauth2callback"):
        sent = {"sec-fetch-dest": "document", "content-type": "application/x-www-form-urlencoded", **headers}
        browser.ask("POST", path, sent, b"token=forged")

    assert [s.stored.card.subject for s in house.live] == ["ana"]
    assert house.gate.names.session in browser.cookies


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:9999", "null"])
def test_bba03_another_sites_script_gets_no_answer_that_it_may_read_and_no_socket(house, browser, origin):
    browser.log_in()
    house.inner.headers = [(b"content-type", b"application/json"), (b"access-control-allow-origin", b"*")]

    answers = [browser.ask(method, "/page", {"origin": origin, "sec-fetch-site": "cross-site"}) for method in ("GET", "OPTIONS")]

    assert [answer.header("access-control-allow-origin") for answer in answers] == ["", ""]
    assert browser.socket(origin=origin).was_refused


def test_bba05_tokens_go_to_the_providers_own_endpoints_alone(house):
    given = tokens_of(house)
    house.issuer.claims = {"picture": f"{EVIL}?picture", "website": EVIL}
    Browser(house).log_in()

    sent = [(f"{r.url} {dict(r.headers)} {r.content.decode()}", r.url.path) for r in house.issuer.requests]
    assert [path for text, path in sent if given[0]["access_token"] in text] == ["/userinfo"]
    assert [path for text, path in sent if given[0]["refresh_token"] in text or given[0]["id_token"] in text] == []
    assert {r.url.host for r in house.issuer.requests} == {"issuer.example"}


def test_bba06_the_session_cookie_is_there_on_the_first_page_after_the_provider_and_is_not_sent_to_it(house, browser):
    """Lax, not Strict: the landing is the end of a chain that began at another site. No page needs a script to go on."""
    landed = browser.log_in(next_path="/sales")

    assert "SameSite=Lax" in next(c for c in landed.all("set-cookie") if c.startswith(house.gate.names.session))
    assert browser.visit("/sales", site="cross-site").status == 200
    assert "<script" not in landed.body
