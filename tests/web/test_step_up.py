"""A person who is logged in shows again who they are, or links a second account, from a page that stays as it is."""

import json
from datetime import timedelta

import httpx2
import pytest

from st_auth.errors import LoginRequired, ProviderError
from st_auth.sessions import Ended, Session
from st_auth.web.step_up import ASK_AGE, Asked
from tests.web.inprocess import Browser, rerun, script_finished
from tests.web.test_login import SECTION

HOUR = timedelta(hours=1)


@pytest.fixture
def two(build_house):
    """An app with two sections; both are clients of one issuer, which does not matter to either."""
    return build_house(providers={"okta": SECTION, "lake": SECTION})


def link_for(house, session, provider="okta", max_age=None, acr=()):
    return f"/auth/login?ask={house.core.sign('ask', Asked(session.login_id, provider, max_age, acr).to_list())}"


def follow(browser, session, person="ana", **what):
    return browser.come_back(browser.visit(link_for(browser.house, session, **what), site="same-origin"), person)


@pytest.fixture
def ana(house):
    browser = Browser(house)
    browser.log_in("ana")
    return browser


@pytest.fixture
def session(house, ana):
    (live,) = house.live
    return live


# -- step-up -------------------------------------------------------------------------------------------------------------------


def test_a_step_up_asks_for_what_the_page_wants_and_for_nobody_else(house, ana, session):
    house.issuer.claims = {"acr": "gold"}

    away = ana.visit(link_for(house, session, max_age=300, acr=("gold", "silver")), site="same-origin")

    assert "max_age=300" in away.location
    assert "acr_values=gold+silver" in away.location
    assert "login_hint=ana%40example.com" in away.location


def test_the_session_goes_on_under_a_new_cookie_with_the_same_login_id_tabs_and_limits(house, ana, session):
    name = house.gate.names.session
    before, login_id, ends, began = ana.cookies[name], session.login_id, session.stored.expires_at, session.stored.card.started_at
    tab, old = ana.socket(), session.stored
    house.advance(HOUR)

    answer = follow(ana, session, max_age=300)

    assert (answer.status, answer.location) == (303, "/auth/done")
    assert ana.cookies[name] != before
    assert house.live == [session]
    assert (session.login_id, session.stored.expires_at, session.stored.card.started_at) == (login_id, ends, began)
    assert session.stored.record_key != old.record_key
    assert json.loads(session.stored.claims_json)["auth_time"] == int(house.clock.now().timestamp())
    assert session.stored.claims_at_login == old.claims_json
    assert tab.sent_to == []
    assert ana.fetch("/x").status == 200
    assert isinstance(house.core.sessions.reread(old), Ended)


def test_the_old_cookie_opens_nothing_any_more(house, ana, session):
    name = house.gate.names.session
    thief = Browser(house, {name: ana.cookies[name]})

    follow(ana, session, max_age=300)

    assert thief.fetch("/x").status == 401
    tab = thief.socket()
    tab.say(rerun())
    assert tab.sent_to == ["/auth/ended?why=renewed&next=%2F"]


def test_the_absolute_limit_is_not_moved_by_a_step_up(house, ana, session):
    house.advance(timedelta(hours=3))
    follow(ana, session, max_age=300)
    for _ in range(3):
        house.advance(timedelta(hours=2, minutes=59))
        ana.visit("/")

    house.advance(timedelta(minutes=10))

    assert ana.fetch("/x").status == 401


def test_tokens_go_on_and_the_old_refresh_token_serves_where_no_new_one_came(house, ana, session):
    before = house.core.grants.tokens(session)
    house.issuer.tokens = {"refresh_token": None}

    follow(ana, session, max_age=300)

    after = house.core.grants.tokens(session)
    assert after.access_token != before.access_token
    assert after.refresh_token == before.refresh_token


def test_pages_that_wait_go_on_and_no_others(house, ana, session):
    ana.socket()
    ana.socket()
    waiting, other = session.sockets
    waiting.wait_for_person(stopped=True)
    assert [waiting._waits, other._waits] == [True, False]

    follow(ana, session, max_age=300)

    assert [waiting._waits, other._waits] == [False, False]


def test_a_page_that_the_person_runs_again_waits_only_if_it_says_so_again(house, ana, session):
    from streamlit.proto.BackMsg_pb2 import BackMsg

    tab = ana.socket()
    (socket,) = session.sockets
    fragment = BackMsg()
    fragment.rerun_script.fragment_id = "clock"

    socket.wait_for_person(stopped=True)
    tab.say(fragment.SerializeToString())
    assert socket._waits
    tab.say(rerun())

    assert not socket._waits


def test_a_page_that_waits_is_kept_by_the_browser_as_it_was(house, ana, session):
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    ana.socket()
    (socket,) = session.sockets
    socket.wait_for_person(stopped=False)
    assert not socket._keeps
    socket.wait_for_person(stopped=True)
    kept = []

    async def send(message):
        kept.append(message["bytes"])

    socket._raw_send = send
    house.run(lambda: socket.send({"type": "websocket.send", "bytes": script_finished()}))
    socket._keeps = False
    house.run(lambda: socket.send({"type": "websocket.send", "bytes": script_finished()}))

    part = ForwardMsg()
    part.script_finished = ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY
    socket._keeps = True
    house.run(lambda: socket.send({"type": "websocket.send", "bytes": part.SerializeToString()}))

    finished = [ForwardMsg.FromString(data).script_finished for data in kept]
    assert finished == [
        ForwardMsg.FINISHED_EARLY_FOR_RERUN,
        ForwardMsg.FINISHED_SUCCESSFULLY,
        ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
    ]


def test_somebody_else_is_refused_and_the_session_goes_on_as_it_was(house, ana, session):
    stored = session.stored

    answer = follow(ana, session, person="bob", max_age=300)

    assert answer.status == 403
    assert "another account" in answer.body
    assert session.stored == stored
    assert ana.fetch("/x").status == 200


@pytest.mark.parametrize("claims", [{"auth_time": None}, {"auth_time": 1}, {"acr": "bronze"}, {"acr": None}])
def test_x25_a_login_that_is_not_as_fresh_or_strong_as_asked_is_refused_and_changes_nothing(house, ana, session, claims):
    stored = session.stored
    house.issuer.claims = {"acr": "gold", **claims}

    answer = follow(ana, session, max_age=300, acr=("gold",))

    assert answer.status == 502
    assert session.stored == stored
    assert ana.fetch("/x").status == 200


def test_who_may_log_in_is_judged_again(build_house):
    house = build_house(st_auth={"allow": {"groups": ["analysts"]}})
    ana = Browser(house)
    ana.log_in("ana")
    (session,) = house.live
    house.issuer.people["ana"] = {**house.issuer.people["ana"], "groups": ["leavers"]}

    assert follow(ana, session, max_age=300).status == 403
    assert isinstance(house.core.sessions.reread(session.stored), Session)


def test_a_logout_during_a_step_up_stays_a_logout(house, ana, session):
    away = ana.visit(link_for(house, session, max_age=300), site="same-origin")
    tab = ana.socket()

    def log_out(answer):
        house.core.sessions.end(session.stored, "logout")
        return answer

    house.issuer.tokens = log_out
    answer = ana.come_back(away, "ana")

    assert answer.status == 400
    assert tab.sent_to == ["/auth/ended?why=logout&next=%2F"]
    assert isinstance(house.core.sessions.reread(session.stored), Ended)
    assert ana.fetch("/x").status == 401


# -- whose link it is ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "x", "W10.x.y", None])
def test_a_link_that_we_did_not_sign_or_that_is_another_logins_begins_nothing(house, ana, session, token):
    other = Browser(house)
    other.log_in("bob")
    theirs = next(live for live in house.live if live is not session)
    url = link_for(house, theirs, max_age=300) if token is None else f"/auth/login?ask={token or '%20'}"

    answer = ana.visit(url, site="same-origin")

    assert answer.status == 400
    assert not any(name.startswith(house.gate.names.attempt) for name in ana.cookies)


def test_a_link_is_too_old_after_half_a_day_and_nothing_to_somebody_without_a_login(house, ana, session):
    url = link_for(house, session, max_age=300)

    assert Browser(house).visit(url).status == 400
    house.clock.advance(timedelta(seconds=ASK_AGE + 1))
    assert Browser(house, dict(ana.cookies)).visit(url).status in (303, 400)


def test_bcp17_another_browser_does_not_finish_what_this_one_began(house, ana, session):
    mallory = Browser(house)
    mallory.log_in("bob")
    away = ana.visit(link_for(house, session, max_age=300), site="same-origin")
    calls = house.issuer.token_calls
    stored = [live.stored for live in house.live]

    answer = mallory.come_back(away, "bob")

    assert answer.status in (303, 400)
    assert house.issuer.token_calls == calls
    assert [live.stored for live in house.live] == stored


def test_bcp17_whoever_logged_in_meanwhile_in_the_same_browser_does_not_finish_it_either(house, ana, session):
    away = ana.visit(link_for(house, session, max_age=300), site="same-origin")
    ana.log_in("bob")
    calls = house.issuer.token_calls
    (bobs,) = house.live
    stored = bobs.stored

    answer = ana.come_back(away, "ana")

    assert answer.status == 400
    assert house.issuer.token_calls == calls
    assert bobs.stored == stored


# -- a second account ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def at_two(two):
    browser = Browser(two)
    browser.log_in("ana")
    return browser, two.live[0]


def test_a_linked_account_gives_its_own_tokens_and_the_person_stays_who_they_are(two, at_two):
    ana, session = at_two
    with pytest.raises(LoginRequired) as caught:
        two.core.grants.tokens(session, "lake")
    assert caught.value.code == "not_linked"
    cookie = ana.cookies[two.gate.names.session]

    answer = follow(ana, session, person="bob", provider="lake")

    assert answer.location == "/auth/done"
    assert ana.cookies[two.gate.names.session] == cookie
    assert session.stored.card.subject == "ana"
    of = {name: two.issuer._access[two.core.grants.tokens(session, name).access_token.reveal()]["sub"] for name in ("okta", "lake")}
    assert of == {"okta": "ana", "lake": "bob"}
    assert session.stored.links == ()  # the tokens stay sealed in the store


def test_a_linked_account_is_renewed_by_itself_and_its_end_is_not_the_sessions(two, at_two):
    ana, session = at_two
    follow(ana, session, person="bob", provider="lake")
    before = two.core.grants.tokens(session, "lake")
    two.advance(timedelta(seconds=two.issuer.lifetime))

    after = two.core.grants.tokens(session, "lake")
    assert after.access_token != before.access_token
    assert two.issuer._access[after.access_token.reveal()]["sub"] == "bob"

    two.issuer._grants.pop(after.refresh_token.reveal())
    two.advance(timedelta(seconds=two.issuer.lifetime))
    with pytest.raises(LoginRequired) as caught:
        two.core.grants.tokens(session, "lake")
    assert caught.value.code == "not_linked"
    assert not two.core.grants.is_linked(session, "lake")
    assert two.core.grants.tokens(session).is_fresh(two.clock.now())


def test_bcp17_an_account_is_not_linked_to_anothers_session(two, at_two):
    ana, session = at_two
    mallory = Browser(two)
    mallory.log_in("bob")
    theirs = next(live for live in two.live if live is not session)
    away = mallory.visit(link_for(two, theirs, provider="lake"), site="same-origin")
    calls = two.issuer.token_calls

    assert ana.come_back(away, "bob").status in (303, 400)

    assert two.issuer.token_calls == calls
    assert not two.core.grants.is_linked(session, "lake")


def test_linking_again_takes_the_place_of_what_was_linked_and_revokes_it(two, at_two):
    ana, session = at_two
    follow(ana, session, person="bob", provider="lake")
    first = two.core.grants.tokens(session, "lake")

    follow(ana, session, person="ana", provider="lake")

    two.core.grants.close()
    assert two.issuer._access[two.core.grants.tokens(session, "lake").access_token.reveal()]["sub"] == "ana"
    assert two.issuer.revoked == [first.refresh_token.reveal()]


def test_linking_the_same_account_again_revokes_nothing_as_both_may_be_one_grant(two, at_two):
    ana, session = at_two
    follow(ana, session, person="bob", provider="lake")

    follow(ana, session, person="bob", provider="lake")

    two.core.grants.close()
    assert two.issuer.revoked == []


def test_a_logout_revokes_linked_accounts_too(two, at_two):
    ana, session = at_two
    follow(ana, session, person="bob", provider="lake")
    held = {two.core.grants.tokens(session, name).refresh_token.reveal() for name in ("okta", "lake")}

    ana.fetch("/auth/logout")

    two.core.grants.close()
    assert set(two.issuer.revoked) == held


def test_a_step_up_keeps_what_is_linked(two, at_two):
    ana, session = at_two
    follow(ana, session, person="bob", provider="lake")
    linked = two.core.grants.tokens(session, "lake")

    follow(ana, session, max_age=300)

    assert two.core.grants.tokens(session, "lake") == linked


# -- other resources -----------------------------------------------------------------------------------------------------------


def exchanging(house, **changes):
    """Let the provider exchange tokens: it gives `of-<subject>-for-<target>`, and a second one another number."""
    forms = []

    def answer(request):
        form = dict(p.split("=", 1) for p in request.content.decode().split("&"))
        forms.append(form)
        subject = house.issuer._access[form["subject_token"]]["sub"]
        target = form.get("resource") or form.get("audience")
        body = {
            "access_token": f"of-{subject}-for-{target.rpartition('%2F')[2]}-{len(forms)}",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
            "expires_in": 60,
            **changes,
        }
        return httpx2.Response(200, json={k: v for k, v in body.items() if v is not None})

    house.issuer.answers["/token"] = answer
    return forms


def exchanged(house, session, resource="https://api.acme.com/sales"):
    return house.core.grants.tokens_for(session, None, resource, exchange=True).access_token.reveal()


def test_tx01_tx02_an_exchanged_token_is_asked_once_for_each_session_and_target(house, ana, session):
    bob = Browser(house)
    bob.log_in("bob")
    bobs = next(live for live in house.live if live is not session)
    forms = exchanging(house)

    first = [exchanged(house, session) for _ in range(3)]

    assert set(first) == {"of-ana-for-sales-1"}
    assert exchanged(house, bobs) == "of-bob-for-sales-2"
    assert exchanged(house, session, "reports") == "of-ana-for-reports-3"
    assert exchanged(house, session) == "of-ana-for-sales-1"
    assert forms[0]["grant_type"] == "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange"
    assert (forms[0]["resource"], forms[2]["audience"]) == ("https%3A%2F%2Fapi.acme.com%2Fsales", "reports")


def test_tx03_it_lives_no_longer_than_itself_or_the_token_it_was_given_for(house, ana, session):
    forms = exchanging(house, expires_in=10 * house.issuer.lifetime)
    tokens = house.core.grants.tokens_for(session, None, "reports", exchange=True)
    assert tokens.expires_at == house.core.grants.tokens(session).expires_at

    del house.issuer.answers["/token"]
    house.advance(timedelta(seconds=house.issuer.lifetime))
    house.core.grants.tokens(session)
    exchanging(house)
    exchanged(house, session, "reports")
    assert len(forms) == 1


def test_tx04_it_goes_with_the_session(house, ana, session):
    exchanging(house)
    exchanged(house, session)

    ana.fetch("/auth/logout")

    assert session.borrowed is None
    with pytest.raises(LoginRequired):
        exchanged(house, session)


@pytest.mark.parametrize("kind", [None, "urn:ietf:params:oauth:token-type:refresh_token", "urn:ietf:params:oauth:token-type:id_token", 7])
def test_tx01_another_kind_of_token_than_asked_is_refused(house, ana, session, kind):
    exchanging(house, issued_token_type=kind)

    with pytest.raises(ProviderError) as caught:
        exchanged(house, session)

    assert caught.value.parameter == "issued_token_type"
    assert session.borrowed is None
    assert not session.ended


def test_res01_a_token_for_one_resource_is_got_by_a_refresh_that_names_it_and_the_sessions_own_goes_on(house, ana, session):
    own = house.core.grants.tokens(session)

    sales = house.core.grants.tokens_for(session, None, "https://api.acme.com/sales", exchange=False)
    again = house.core.grants.tokens_for(session, None, "https://api.acme.com/sales", exchange=False)

    sent = [r.content.decode() for r in house.issuer.requests if r.url.path == "/token"][-1]
    assert "grant_type=refresh_token" in sent
    assert "resource=https%3A%2F%2Fapi.acme.com%2Fsales" in sent
    assert sales == again
    assert sales.refresh_token is None
    assert sales.access_token != own.access_token
    assert house.core.grants.tokens(session).access_token == own.access_token
    house.advance(timedelta(seconds=house.issuer.lifetime))
    assert house.core.grants.tokens(session).is_fresh(house.clock.now())  # with the refresh token that came meanwhile


def test_res02_a_resource_that_the_provider_does_not_know_is_a_clean_error(house, ana, session):
    house.issuer.answers["/token"] = httpx2.Response(400, json={"error": "invalid_target"})

    with pytest.raises(ProviderError) as caught:
        house.core.grants.tokens_for(session, None, "https://api.acme.com/sales", exchange=False)

    assert (caught.value.code, caught.value.error) == ("request_refused", "invalid_target")
    assert not session.ended
    assert house.core.sessions.reread(session.stored).card.claim == ""
