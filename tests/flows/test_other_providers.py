"""Providers that st_auth has no line of code for: Django OAuth Toolkit with and without OpenID, and an Express server without OpenID."""

import json
import logging
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import httpx2
import pytest

from st_auth.errors import LoginRefused, LoginRequired, Unavailable
from st_auth.http import Http
from st_auth.testing.loopback import server_for
from tests.conftest import APPS
from tests.servers.other_providers import ALICE, ExpressOAuth, OpenIdToolkit, PlainToolkit
from tests.servers.processes import free_port, wait_until
from tests.servers.streamlit_app import StreamlitApp, auth_secrets
from tests.web.inprocess import Browser, House

KINDS = (OpenIdToolkit, PlainToolkit, ExpressOAuth)
SUBJECTS = {OpenIdToolkit: "1", PlainToolkit: "1", ExpressOAuth: "alice"}
AGED = timedelta(minutes=2)  # as long as their access tokens live; ID tokens must not look old to the turned clock


def only(*kinds):
    """Run a test at these providers, where they differ."""
    return pytest.mark.parametrize("other", kinds, indirect=True, ids=lambda kind: kind.__name__)


class OverTheWire(House):
    """A house whose providers are real: it asks them by sockets."""

    def _http(self, name):
        return Http()


@pytest.fixture(scope="module")
def landing():
    """Where a login comes back to: a server that answers everything with 200, so that the test can hand the answer to its house."""
    with server_for(lambda _: httpx2.Response(200, text="back")) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture(scope="module")
def app_port():
    return free_port()


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.__name__)
def other(request, landing, app_port, tmp_path_factory):
    """A provider for this file's tests; whoever restarts it leaves it running."""
    with request.param(tmp_path_factory.mktemp("other"), [landing, f"http://localhost:{app_port}"]) as provider:
        yield provider


@pytest.fixture
def move_in(other, landing):
    """`move_in(client_secret=…)` is a house that logs people in at the provider."""
    with ExitStack() as closing:

        def build(**changed):
            one = OverTheWire(redirect_uri=f"{landing}/oauth2callback", providers={"other": {**other.section(), **changed}})
            closing.callback(one.close)
            return one

        yield build


@pytest.fixture
def house(move_in):
    return move_in()


@pytest.fixture
def login(house, person):
    """`login()` takes alice through a whole login; the gate's answer, her browser at the gate, and the same at the provider."""

    def go(at=house):
        browser, alice = Browser(at), person()
        callback = urlsplit(at_provider(alice, browser.go_to_provider(provider="other").location).url)
        return browser.visit(f"{callback.path}?{callback.query}", site="cross-site"), browser, alice

    return go


def at_provider(alice, url):
    """Log alice in at the provider and let her say yes to what it asks; the page that she ends at."""
    return agreed(alice, alice.answer_provider(alice.open(url), "alice"))


def agreed(alice, page):
    is_asked = any("Authorize" in button.text for form in page.forms for button in form.buttons)
    return alice.press(page, "Authorize") if is_asked else page


def tokens_of(house):
    """What the newest session holds: renewed if it has aged, and otherwise without asking anybody."""
    return house.core.grants.tokens(house.live[-1])


# -- login ---------------------------------------------------------------------------------------------------------------------


def test_rp02_rp04_who_logs_in_is_who_the_provider_says(other, house, login):
    answer, browser, _ = login()

    assert (answer.status, answer.location) == (303, "/")
    (live,) = house.live
    card, profile = live.stored.card, json.loads(live.stored.profile_json)
    assert (card.subject, card.name, profile["email"]) == (SUBJECTS[type(other)], "Alice Archer", ALICE["email"])
    assert card.issuer == (f"{other.origin}/o" if type(other) is OpenIdToolkit else other.origin)
    assert browser.visit("/").body == "inner"


def test_an_app_needs_a_file_and_a_section_and_no_code(other, app_port, person, tmp_path):
    section = other.section()
    (tmp_path / ".streamlit").mkdir()
    if "profile" in section:
        (tmp_path / ".streamlit" / "company.toml").write_text(Path(section["profile"]).read_text())
        section["profile"] = "./company.toml"
    with StreamlitApp(APPS / "probe.py", tmp_path, secrets=auth_secrets(**section), port=app_port) as app:
        alice = person()
        page = agreed(alice, alice.login(app.url))

        assert page.is_streamlit, page.text
        tab = alice.tab(app.url)
        assert (tab.fact("subject"), tab.fact("name"), tab.fact("email")) == (SUBJECTS[type(other)], "Alice Archer", ALICE["email"])
        assert '"event": "login_refused"' not in app.output


def test_a_wrong_secret_is_a_plain_page_and_one_token_call_and_nothing_secret_is_written(other, move_in, login, caplog):
    caplog.set_level(logging.DEBUG)
    wrong, before = move_in(client_secret="mistyped-secret"), other.token_calls

    answer, browser, alice = login(wrong)

    (code,) = parse_qs(urlsplit(alice.log[-1].url).query)["code"]
    assert answer.status == 502
    assert other.token_calls == before + 1
    assert "invalid_client" in caplog.text
    for secret in ("mistyped-secret", other.client_secret, code, "Basic "):
        assert secret not in answer.body
        assert secret not in caplog.text
    assert wrong.live == []
    assert browser.visit("/").body != "inner"


# -- refresh -------------------------------------------------------------------------------------------------------------------


def test_rp27_bcp13_f2_02_a_token_that_has_aged_is_renewed_with_the_newest_refresh_token(other, house, login):
    login()
    seen = [tokens_of(house)]
    before = other.token_calls

    for _ in range(3):
        house.advance(AGED)
        seen.append(tokens_of(house))

    assert other.token_calls == before + 3
    assert len({tokens.access_token.reveal() for tokens in seen}) == 4
    assert len({tokens.refresh_token.reveal() for tokens in seen}) == 4
    assert json.loads(house.live[0].stored.profile_json)["email"] == ALICE["email"]


def test_bcp13_a_refresh_token_that_somebody_else_has_used_ends_the_login(other, house, login):
    login()
    house.core.clients["other"].refresh(tokens_of(house))
    house.advance(AGED)

    with pytest.raises(LoginRequired) as caught:
        tokens_of(house)

    assert caught.value.code == "grant_expired"
    assert house.live == []


@only(OpenIdToolkit)
def test_a_renewed_id_token_that_tells_another_time_of_login_changes_nothing(other, house, login):
    """The toolkit tells when the person logged in last, with whatever browser; here that of this browser counts."""
    login()
    first, began = house.live[-1], int(time.time())
    at_login = json.loads(first.stored.claims_json)["auth_time"]
    wait_until(lambda: int(time.time()) > began, "the next second, as auth_time is told in seconds")
    login()
    house.advance(AGED)

    assert house.core.grants.tokens(first).is_fresh(house.clock.now())

    assert json.loads(first.stored.claims_json)["auth_time"] == at_login
    assert tokens_of(house).is_fresh(house.clock.now())


# -- the provider restarts -----------------------------------------------------------------------------------------------------


@only(OpenIdToolkit, PlainToolkit)
def test_session_and_grant_outlive_a_restart_of_a_provider_that_keeps_its_grants(other, house, login):
    _, browser, _ = login()
    before = tokens_of(house)

    other.restart()
    house.advance(AGED)
    after = tokens_of(house)

    assert after.access_token != before.access_token
    assert after.is_fresh(house.clock.now())
    assert browser.visit("/").body == "inner"


@only(ExpressOAuth)
def test_a_session_outlives_a_restart_of_a_provider_that_forgets_until_a_token_has_to_be_renewed(other, house, login):
    _, browser, _ = login()

    other.restart()

    assert browser.visit("/").body == "inner"
    house.advance(AGED)
    with pytest.raises(LoginRequired) as caught:
        tokens_of(house)
    assert caught.value.code == "grant_expired"
    assert house.live == []
    assert browser.visit("/").body != "inner"


def test_who_logs_in_after_a_restart_is_the_same_person(other, house, login):
    login()

    other.restart()
    login()

    cards = [live.stored.card for live in house.live]
    assert len(cards) == 2
    assert len({(card.issuer, card.subject) for card in cards}) == 1


def test_who_is_logged_in_stays_while_the_provider_is_down_and_keeps_a_token_until_it_expires(other, house, login):
    _, browser, _ = login()
    tokens = tokens_of(house)

    other.stop()
    try:
        house.advance(AGED * 0.95)  # worth renewing, and still valid
        assert tokens_of(house) == tokens
        house.advance(AGED)
        with pytest.raises(Unavailable):
            tokens_of(house)
        assert browser.visit("/").body == "inner"
    finally:
        other.start()


# -- logout and revocation -----------------------------------------------------------------------------------------------------


@only(OpenIdToolkit)
def test_rp54_a_logout_goes_on_to_the_provider_and_comes_back(other, house, login):
    _, browser, alice = login()

    answer = browser.visit("/auth/logout", site="same-origin")

    assert house.live == []
    assert answer.location.startswith(f"{other.origin}/o/logout/?")
    back = urlsplit(alice.press(alice.open(answer.location), "Logout").url)
    assert f"{back.scheme}://{back.netloc}{back.path}" == house.config.redirect_uri
    landed = browser.visit(f"{back.path}?{back.query}", site="cross-site")
    assert urlsplit(landed.location).path == "/auth/ended"
    asked = alice.open(browser.go_to_provider(provider="other").location)
    assert any("password" in form.fields for form in asked.forms)


@only(PlainToolkit, ExpressOAuth)
def test_a_logout_ends_here_where_the_provider_has_no_page_for_it(other, house, login):
    _, browser, _ = login()

    answer = browser.visit("/auth/logout", site="same-origin")

    assert urlsplit(answer.location).path == "/auth/ended"
    assert house.live == []
    assert browser.visit("/").body != "inner"


@only(PlainToolkit)
def test_rev01_rev03_a_logout_revokes_the_grant_where_the_provider_has_an_address_for_that(other, house, login, caplog):
    caplog.set_level(logging.INFO, "st_auth.audit")
    _, browser, _ = login()
    tokens, before = tokens_of(house), other.posts("/o/revoke_token/")

    browser.visit("/auth/logout", site="same-origin")

    wait_until(lambda: '"event": "revoked"' in caplog.text, "the revocation")
    assert other.posts("/o/revoke_token/") == before + 1
    with pytest.raises(LoginRefused) as caught:
        house.core.clients["other"].refresh(tokens)
    assert caught.value.code == "invalid_grant"


@only(OpenIdToolkit)
def test_revocation_is_nothing_to_a_provider_whose_metadata_names_no_address(other, house, login, caplog):
    """`n/a`: the toolkit's OpenID metadata has no `revocation_endpoint`. Its logout page revokes by itself."""
    caplog.set_level(logging.INFO, "st_auth.audit")
    with urlopen(other.section()["server_metadata_url"]) as answer:
        assert "revocation_endpoint" not in json.load(answer)
    _, browser, alice = login()
    tokens = tokens_of(house)

    away = browser.visit("/auth/logout", site="same-origin")
    assert house.core.clients["other"].revoke(tokens) is False
    alice.press(alice.open(away.location), "Logout")

    with pytest.raises(LoginRefused) as caught:
        house.core.clients["other"].refresh(tokens)
    assert caught.value.code == "invalid_grant"
    assert "revo" not in caplog.text


@only(ExpressOAuth)
def test_revocation_is_nothing_to_a_provider_without_metadata(other, house, login):
    """`n/a`: the Express server has neither metadata nor an address for revocation, and its profile names none."""
    for place in ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"):
        with pytest.raises(HTTPError) as caught:
            urlopen(other.origin + place)
        caught.value.close()
        assert caught.value.code == 404
    login()

    assert house.core.clients["other"].revoke(tokens_of(house)) is False
