"""A person logs in to a database on a page of ours, at a real PostgreSQL: who gets the form, what is tried, and what stays of it."""

import asyncio
import html
import json
import logging
import re
import socket
from datetime import timedelta
from threading import Event
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as some
from itsdangerous import timed

from st_auth.errors import LoginRequired
from st_auth.sessions import Session
from st_auth.stores import open_store
from st_auth.web.connect import connect_url
from st_auth.web.watch import Watch
from tests.servers.postgres import PostgresServer, password_of
from tests.servers.processes import wait_until
from tests.web.inprocess import SECRET, Browser
from tests.web.test_login import SECTION

MINUTE = timedelta(minutes=1)
ANA = {"user": "ana", "password": password_of("ana")}


@pytest.fixture(scope="module")
def postgres():
    with PostgresServer(passwords=True) as server:
        yield server


@pytest.fixture
def section(postgres):
    return {"type": "st_auth.SQLConnection", "url": f"postgresql+psycopg://127.0.0.1:{postgres.port}/sales", "login": "own"}


@pytest.fixture
def build(build_house, section):
    def made(**more):
        connections = {"erp": section, "other": dict(section), "app": {**section, "login": "own"}, **more.pop("connections", {})}
        connections["app"] = {"type": "st_auth.DuckDBConnection", "path": "x.duckdb"}
        return build_house(connections=connections, **more)

    return made


@pytest.fixture
def house(build):
    return build()


@pytest.fixture
def turn_wall_clock(monkeypatch):
    """Let the signatures' own clock, which is the machine's, be so many seconds ahead."""
    real = timed.time.time()
    return lambda seconds: monkeypatch.setattr(timed, "time", SimpleNamespace(time=lambda: real + seconds))


def logged_in(house, person="ana"):
    browser = Browser(house)
    browser.log_in(person)
    return browser


@pytest.fixture
def ana(house):
    return logged_in(house)


def session_of(house, person="ana"):
    return next(live for live in house.live if live.stored.card.subject == person)


def link(house, person="ana", name="erp"):
    return connect_url(house.core, session_of(house, person).login_id, name)


def token_in(page):
    return html.unescape(re.search(r'name="token" value="([^"]+)"', page.body)[1])


def form(browser, url):
    return {"token": token_in(browser.visit(url, site="same-origin"))}


def give(browser, url, **fields):
    return browser.post(url, {**form(browser, url), **ANA, **fields})


def stored(house, person="ana"):
    found = house.core.sessions.reread(session_of(house, person).stored)
    assert isinstance(found, Session)
    return found


def kept(house, person="ana"):
    return [(one.connection, one.user, one.password.reveal()) for one in stored(house, person).logins]


def says(page):
    return html.unescape("".join(re.findall(r'role="alert">([^<]*)', page.body)))


def outcomes(caplog):
    lines = [json.loads(r.message) for r in caplog.records if r.name == "st_auth.audit"]
    return [line["outcome"] for line in lines if line["event"] == "connection_login"]


# -- the form --------------------------------------------------------------------------------------------------------------


def test_the_form_says_where_it_leads_and_may_be_filled_in_by_a_password_manager(house, ana, postgres):
    page = ana.visit(link(house), site="same-origin")

    assert page.status == 200
    assert "Log in to erp" in page.body
    assert f"127.0.0.1:{postgres.port}" in page.body
    assert 'autocomplete="username"' in page.body
    assert 'type="password" autocomplete="current-password"' in page.body
    assert page.header("cache-control") == "no-store"
    assert page.header("x-frame-options") == "DENY"
    policy = page.header("content-security-policy")
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert "script-src" not in policy


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"preferred_username": "ana.b"}, "ana.b"),
        ({"preferred_username": "ana@acme.com", "email": "ana_x@acme.com"}, "ana_x"),
        ({"preferred_username": ["ana"], "email": "a b@acme.com"}, ""),
        ({"preferred_username": "<b>", "email": "<i>@acme.com"}, ""),
        ({"preferred_username": "x" * 64, "email": ""}, ""),
    ],
)
def test_the_name_is_filled_in_where_the_login_says_a_plain_one(house, claims, expected):
    house.issuer.claims = claims
    browser = logged_in(house)

    page = browser.visit(link(house), site="same-origin")

    assert f'required value="{expected}"' in page.body


def test_somebody_without_a_login_gets_no_form(house, ana):
    page = Browser(house).visit(link(house))

    assert page.status == 403
    assert "<form" not in page.body


def test_another_persons_login_gets_no_form_and_may_post_none(house, ana):
    bob = logged_in(house, "bob")
    page = bob.visit(link(house, "ana"), site="same-origin")
    assert page.status == 403
    assert "<form" not in page.body

    answer = bob.post(link(house, "ana"), {**form(ana, link(house)), **ANA})

    assert answer.status == 403
    assert (kept(house, "ana"), kept(house, "bob")) == ([], [])


def test_the_form_of_one_login_is_refused_for_another(house, ana):
    bob = logged_in(house, "bob")

    answer = bob.post(link(house, "bob"), {**form(ana, link(house)), **ANA})

    assert answer.status == 400
    assert "used already" in says(answer)
    assert kept(house, "bob") == []


def test_the_same_persons_other_browser_may_not_follow_the_link(house, ana):
    url = link(house)
    elsewhere = logged_in(house)

    assert elsewhere.visit(url, site="same-origin").status == 403


@pytest.mark.parametrize("ask", ["", "x", "x.y.z", "ask=&ask="])
def test_a_link_that_we_did_not_make_shows_no_form(house, ana, ask):
    assert ana.visit(f"/auth/connect?ask={ask}", site="same-origin").status == 403


def test_a_link_signed_for_something_else_shows_no_form(house, ana):
    login_id = session_of(house).login_id
    for purpose in ("ask", "connect-form", "logout-form"):
        assert ana.visit(f"/auth/connect?ask={house.core.sign(purpose, [login_id, 'erp'])}").status == 403


@pytest.mark.parametrize("name", ["nowhere", "app"])
def test_only_connections_that_are_entered_so_have_a_form(house, ana, name):
    assert ana.visit(link(house, name=name), site="same-origin").status == 403


def test_a_link_is_good_for_twelve_hours(house, ana, turn_wall_clock):
    url = link(house)

    turn_wall_clock(12 * 3600 - 5)
    assert ana.visit(url, site="same-origin").status == 200
    turn_wall_clock(12 * 3600 + 5)
    assert ana.visit(url, site="same-origin").status == 403


def test_who_cancels_is_told_that_nothing_was_kept(house, ana):
    page = ana.visit(link(house), site="same-origin")
    (cancel,) = [url for url in page.links if "left=1" in url]

    assert "Nothing was kept" in ana.visit(cancel, site="same-origin").body


# -- what is tried ---------------------------------------------------------------------------------------------------------


def test_the_right_password_is_kept_and_the_tab_is_told(house, ana, caplog):
    caplog.set_level(logging.INFO, "st_auth.audit")

    answer = give(ana, link(house))

    assert (answer.status, answer.location) == (303, "/auth/done")
    assert kept(house) == [("erp", "ana", password_of("ana"))]
    assert outcomes(caplog) == ["accepted"]
    assert session_of(house).stored.logins == ()


@pytest.mark.parametrize("password", ["größer als 密码 +&=%25", " with spaces around ", "'\"<b>\\"])
def test_a_password_of_any_letters_arrives_as_it_was_typed(house, ana, postgres, password):
    postgres.set_password("cyd", password)
    try:
        assert give(ana, link(house), user="cyd", password=password).status == 303
    finally:
        postgres.set_password("cyd", password_of("cyd"))
    assert kept(house) == [("erp", "cyd", password)]


def test_the_form_stands_below_the_apps_base_path(build):
    house = build(base_path="/team", redirect_uri="http://localhost:8501/team/oauth2callback")
    ana = logged_in(house)

    answer = give(ana, link(house))

    assert link(house).startswith("/team/auth/connect?ask=")
    assert answer.location == "/team/auth/done"
    assert len(kept(house)) == 1


def test_pages_that_wait_go_on(house, ana):
    ana.socket()
    (waiting,) = session_of(house).sockets
    waiting.wait_for_person(stopped=True)

    give(ana, link(house))

    assert not waiting._waits


@pytest.mark.parametrize("fields", [{"password": "wrong-secret"}, {"user": "nobody"}, {"user": "bob"}])
def test_a_wrong_password_shows_the_form_again_without_it(house, ana, caplog, fields):
    caplog.set_level(logging.DEBUG)
    sent = {**ANA, **fields}

    answer = give(ana, link(house), **sent)

    assert answer.status == 403
    assert "does not take this name and password" in says(answer)
    assert f'required value="{sent["user"]}"' in answer.body
    assert html.escape(sent["password"]) not in answer.body
    assert sent["password"] not in answer.body
    assert sent["password"] not in caplog.text
    assert outcomes(caplog) == ["login_refused"]
    assert kept(house) == []


def test_a_password_typed_as_the_name_is_in_no_log_either(house, ana, caplog):
    caplog.set_level(logging.DEBUG)

    give(ana, link(house), user="hunter2-hunter2")

    assert "hunter2" not in caplog.text


def test_each_connection_has_a_login_of_its_own_and_a_new_one_replaces_the_old(house, ana):
    give(ana, link(house))
    give(ana, link(house, name="other"), user="bob", password=password_of("bob"))
    give(ana, link(house), user="cyd", password=password_of("cyd"))

    assert sorted(kept(house)) == [("erp", "cyd", password_of("cyd")), ("other", "bob", password_of("bob"))]


def test_a_database_that_asks_nobody_for_a_password_is_told(house, ana):
    answer = give(ana, link(house), user="truster")

    assert answer.status == 503
    assert "asks nobody for a password" in says(answer)
    assert kept(house) == []


def test_a_database_that_is_not_there_is_told(build, section):
    house = build(connections={"erp": {**section, "url": "postgresql+psycopg://127.0.0.1:1/sales"}})

    answer = give(logged_in(house), link(house))

    assert answer.status == 503
    assert "does not answer" in says(answer)


def test_a_database_that_never_answers_keeps_nobody_waiting_for_ever(build, section):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://127.0.0.1:{silent.getsockname()[1]}/sales?connect_timeout=2"
        house = build(connections={"erp": {**section, "url": url}})

        answer = give(logged_in(house), link(house))

    assert answer.status == 503
    assert "does not answer" in says(answer)


def test_a_database_that_takes_longer_than_people_wait_is_told_and_what_comes_later_is_not_kept(house, ana):
    connect, begun, go = house.core.pool._connect, Event(), Event()

    def slow(wanted, opening):
        begun.set()
        go.wait(20)
        return connect(wanted, opening)

    house.core.pool._connect, house.gate._routes._connect._patience = slow, 0.05

    answer = give(ana, link(house))
    assert begun.is_set()
    again = give(ana, link(house))
    go.set()

    assert answer.status == 503
    assert "does not answer" in says(answer)
    assert again.status == 429, "one at a time for each person"
    routes = house.gate._routes._connect
    wait_until(lambda: house.run(lambda: is_idle(routes)), "the thread is free again")
    assert kept(house) == []
    routes._patience = 20.0
    assert give(ana, link(house)).status == 303


async def is_idle(routes):
    await asyncio.sleep(0.01)
    return routes._at_database.__self__._inside == 0


def test_many_who_wait_for_databases_are_told_to_come_back(house, ana):
    house.gate._routes._connect._at_database.__self__._at_most = 0

    answer = give(ana, link(house))

    assert answer.status == 503
    assert "Many people" in says(answer)


def test_a_store_that_is_silent_lets_nobody_log_in_to_a_database(house, ana):
    sent = {**form(ana, link(house)), **ANA}
    house.clock.advance(timedelta(seconds=61))

    answer = ana.post(link(house), sent)

    assert answer.status == 503
    assert "<form" not in answer.body
    house.core.live.confirmed()
    assert kept(house) == []


def test_a_login_that_is_over_by_the_time_that_it_is_tried_gets_no_form(house, ana):
    sent = {**form(ana, link(house)), **ANA}
    require_live = house.core.pool.require_live

    def over(live):
        live.ended = "logout"
        require_live(live)

    house.core.pool.require_live = over
    assert ana.post(link(house), sent).status == 403


def test_a_claim_that_is_missing_is_told(build, section):
    house = build(connections={"erp": {**section, "url": section["url"] + "_{tenant}"}})

    answer = give(logged_in(house), link(house))

    assert answer.status == 503
    assert "tenant" in says(answer)


# -- what is not tried -----------------------------------------------------------------------------------------------------


def untried(house, caplog):
    return kept(house) == [] and outcomes(caplog) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site"},
    ],
)
def test_a_post_from_elsewhere_is_refused(house, ana, caplog, headers):
    caplog.set_level(logging.INFO, "st_auth.audit")

    answer = ana.post(link(house), {**form(ana, link(house)), **ANA}, **headers)

    assert answer.status == 403
    assert untried(house, caplog)


@pytest.mark.parametrize("token", ["", "x", "x.y.z"])
def test_a_post_without_a_form_of_ours_is_refused(house, ana, caplog, token):
    caplog.set_level(logging.INFO, "st_auth.audit")

    answer = ana.post(link(house), {"token": token, **ANA})

    assert answer.status == 400
    assert untried(house, caplog)


def test_a_form_is_for_its_own_connection(house, ana):
    answer = ana.post(link(house), {**form(ana, link(house, name="other")), **ANA})

    assert answer.status == 400
    assert kept(house) == []


def test_a_form_is_used_once(house, ana):
    sent = {**form(ana, link(house)), **ANA, "password": "wrong"}
    assert ana.post(link(house), sent).status == 403

    answer = ana.post(link(house), {**sent, "password": password_of("ana")})

    assert answer.status == 400
    assert "used already" in says(answer)
    assert kept(house) == []


def test_the_form_that_is_shown_again_works(house, ana):
    again = give(ana, link(house), password="wrong")

    answer = ana.post(link(house), {"token": token_in(again), **ANA})

    assert answer.location == "/auth/done"
    assert len(kept(house)) == 1


def test_a_form_that_was_open_for_too_long_is_refused(house, ana, turn_wall_clock):
    sent = {**form(ana, link(house)), **ANA}
    turn_wall_clock(605)

    answer = ana.post(link(house), sent)

    assert answer.status == 400
    assert kept(house) == []


def test_a_get_tries_nothing(house, ana, caplog):
    caplog.set_level(logging.INFO, "st_auth.audit")
    url = link(house)

    answer = ana.visit(f"{url}&{urlencode({**form(ana, url), **ANA})}", site="same-origin")

    assert answer.status == 200
    assert ANA["password"] not in html.unescape(answer.body)
    assert untried(house, caplog)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_refused(house, ana, method):
    assert ana.fetch(link(house), method).status == 405


@pytest.mark.parametrize(
    "fields", [{"user": ""}, {"password": ""}, {"user": "a" * 257}, {"password": "a" * 1025}, {"user": "a\0b"}, {"password": "a\nb"}]
)
def test_what_no_database_could_take_is_not_tried(house, ana, caplog, fields):
    caplog.set_level(logging.INFO, "st_auth.audit")

    answer = give(ana, link(house), **fields)

    assert answer.status == 400
    assert untried(house, caplog)


def test_a_body_that_is_too_large_is_not_read(house, ana, caplog):
    caplog.set_level(logging.INFO, "st_auth.audit")

    assert give(ana, link(house), more="x" * 20_000).status == 400
    assert untried(house, caplog)


@given(body=some.one_of(some.binary(max_size=400), some.text(max_size=200).map(lambda t: f"token={t}&user={t}&password={t}".encode())))
@example(body=b"token=a&token=b&user=ana&password=x")
@example(body=b"&".join(b"user%d=x" % n for n in range(200)))
@example(body=b"user=%ff%fe&password=%00&token=%c3%28")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_posted_that_is_no_form_of_ours_is_refused_and_nothing_breaks(house, ana, body):
    headers = {"sec-fetch-dest": "document", "sec-fetch-site": "same-origin", "origin": ana.origin}

    answer = ana.ask("POST", link(house), headers, body)

    assert answer.status == 400
    assert "used already" in says(answer)


def test_a29_a_person_tries_five_times_a_minute_in_however_many_logins(house, ana, caplog):
    caplog.set_level(logging.INFO, "st_auth.audit")
    bob = logged_in(house, "bob")
    answers = [give(ana, link(house), password="wrong").status for _ in range(5)]

    elsewhere = logged_in(house)
    other = next(live for live in house.live if live.stored.card.subject == "ana" and live is not session_of(house))
    assert give(elsewhere, connect_url(house.core, other.login_id, "erp")).status == 429
    refused = give(ana, link(house))

    assert answers == [403] * 5
    assert refused.status == 429
    assert 1 <= int(refused.header("retry-after")) <= 60
    assert "too often" in says(refused)
    assert kept(house) == []
    assert outcomes(caplog) == ["login_refused"] * 5 + ["too_many"] * 2
    assert give(bob, link(house, "bob"), user="bob", password=password_of("bob")).status == 303
    house.advance(MINUTE)
    assert give(ana, link(house)).status == 303


def test_a29_an_address_tries_as_often_as_it_may_log_in(build):
    house = build(st_auth={"logins_per_minute": 4})
    ana = logged_in(house)
    answers = [give(ana, link(house), password="wrong").status for _ in range(5)]

    assert answers == [403] * 4 + [429]


def test_a_login_that_ended_meanwhile_gets_nothing(house, ana):
    url = link(house)
    sent = {**form(ana, url), **ANA}
    live = session_of(house)
    house.core.grants.end(live, "logout")

    assert ana.post(url, sent).status == 403


def test_a_login_that_ends_in_the_store_while_the_database_is_asked_stays_ended(house, ana):
    live, sent = session_of(house), {**form(ana, link(house)), **ANA}
    house.core.sessions.end(live.stored, "logout")  # at another replica; this one has not heard of it yet

    answer = ana.post(link(house), sent)

    assert answer.status == 403
    assert not isinstance(house.core.sessions.reread(live.stored), Session)


# -- where it stays --------------------------------------------------------------------------------------------------------


def column(house, person, sql):
    from st_auth.connections.handle import handle_of
    from tests.test_live import Anywhere

    pool = house.core.pool
    frame = handle_of(session_of(house, person), pool.config("erp"), None, pool, Anywhere()).query(sql, as_="arrow")
    return frame.column(0).to_pylist()


def test_it_stays_for_another_process_with_the_same_store_and_goes_with_the_logout(build, tmp_path):
    path = tmp_path / "vault.db"
    first = build(store=open_store(f"sqlite:///{path}"), providers={"okta": SECTION})
    ana = logged_in(first)
    give(ana, link(first))
    second = build(store=open_store(f"sqlite:///{path}"), providers={"okta": SECTION})
    elsewhere = Browser(second, dict(ana.cookies))
    assert elsewhere.fetch("/x").status == 200

    assert column(second, "ana", "select current_user::text") == ["ana"]

    cookie = dict(ana.cookies)
    elsewhere.fetch("/auth/logout")
    assert second.live == []
    third = build(store=open_store(f"sqlite:///{path}"), providers={"okta": SECTION})
    assert Browser(third, cookie).fetch("/x").status == 401
    data = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert len(data) > 1000
    for text in (password_of("ana"), "own: 2", SECRET):
        assert text.encode() not in data


def test_what_is_forgotten_at_one_replica_is_closed_at_another(build, tmp_path, postgres):
    path = tmp_path / "vault.db"
    one, two = (build(store=open_store(f"sqlite:///{path}"), providers={"okta": SECTION}) for _ in range(2))
    ana = logged_in(one)
    give(ana, link(one))
    Browser(two, ana.cookies).fetch("/x")
    assert column(two, "ana", "select current_user::text") == ["ana"]
    two.run(Watch(two.gate).go_round)
    assert len(postgres.sessions()) == 1

    one.core.pool.forget_login(session_of(one), one.core.pool.config("erp"))
    two.run(Watch(two.gate).go_round)

    wait_until(lambda: not postgres.sessions(), "the session at the database is closed")
    with pytest.raises(LoginRequired):
        column(two, "ana", "select 1")
