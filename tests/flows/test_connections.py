"""A person's Snowflake in a real app: their rows, whichever way they ask; open over a dropped socket, closed with the login."""

import os
import time
from pathlib import Path

import pytest

from st_auth.testing import FakeIssuer
from tests.flows.people import secrets_of, tab_of
from tests.servers.processes import wait_until
from tests.servers.snowflake_server import AUDIENCE, SnowflakeServer

APP = Path(__file__).parents[1] / "apps" / "connections.py"
EXAMPLE = Path(__file__).parents[2] / "examples" / "warehouse.py"
PEOPLE = {name: {"name": name.title(), "region": region} for name, region in (("ana", "eu"), ("bob", "us"), ("cyd", "apac"))}
LONG = "ST_AUTH_SOAK" in os.environ
LIFETIME, SECONDS = (5, 60) if LONG else (2, 12)  # a dozen tokens of each person's, or half a dozen


@pytest.fixture(scope="module")
def _servers(tmp_path_factory):
    with FakeIssuer(serve=True, audience=AUDIENCE, people=PEOPLE) as issuer:
        folder = tmp_path_factory.mktemp("snowflake")
        with SnowflakeServer(folder, issuer=issuer.issuer, jwks_uri=f"{issuer.issuer}/jwks") as snowflake:
            yield issuer, snowflake


@pytest.fixture
def issuer(_servers):
    issuer, _ = _servers
    issuer.audience, issuer.lifetime = AUDIENCE, 3600
    return issuer


@pytest.fixture
def snowflake(_servers):
    """The module's Snowflake, where nobody has a session: the app of the test before has closed them."""
    _, snowflake = _servers
    wait_until(lambda: snowflake.live() == 0, "the end of all sessions of the test before")
    return snowflake


WAYS = ("own", "default", "door", "kept")


def test_three_people_are_themselves_whichever_way_they_ask(app, person, issuer, snowflake):
    one = app(APP, secrets=secrets_of(issuer, warehouse=snowflake.section(default=True)), st_auth={"allow": "anyone"})
    tabs = {name: tab_of(person, issuer, one, name) for name in PEOPLE}

    for _ in range(2):
        for name, tab in tabs.items():
            tab.click("Again")
            assert tab.exceptions == []
            assert {tab.fact(way) for way in WAYS} == {name.upper()}
            assert tab.fact("threads") == f"['{name.upper()}']"
            assert (tab.fact("same"), tab.fact("unbound")) == ("True", "no_run")

    assert snowflake.facts()["live"] == {"ANA": 1, "BOB": 1, "CYD": 1}


def test_a_logout_closes_the_session_at_snowflake_and_nobody_elses(app, person, issuer, snowflake):
    one = app(APP, secrets=secrets_of(issuer, warehouse=snowflake.section(default=True)), st_auth={"allow": "anyone"})
    ana, bob = (tab_of(person, issuer, one, name) for name in ("ana", "bob"))

    ana.click("Log out", wait=False)

    wait_until(lambda: snowflake.facts()["live"] == {"BOB": 1}, "the end of ana's session at Snowflake")
    bob.click("Again")
    assert bob.fact("own") == "BOB"
    one.stop()
    wait_until(lambda: snowflake.live() == 0, "the end of all sessions when the app stops")


def test_the_example_shows_the_persons_own_rows_and_a_refusal_in_plain_words(app, person, issuer, snowflake):
    secrets = secrets_of(issuer, warehouse=snowflake.section(default=True, database="SALES", schema="PUBLIC"))
    fill = f"""{EXAMPLE.read_text("utf-8").partition("warehouse = ")[0]}
cursor = user.connection("warehouse").cursor()
cursor.execute("create or replace table orders (region text, amount int)")
cursor.execute("insert into orders values ('eu', 10), ('us', 200), ('eu', 3)")
"""
    assert tab_of(person, issuer, app(fill, secrets=secrets, st_auth={"allow": "anyone"}), "ana").exceptions == []
    one = app(EXAMPLE, secrets=secrets, st_auth={"allow": "anyone"})

    ana, bob = (tab_of(person, issuer, one, name) for name in ("ana", "bob"))
    assert ana.exceptions == bob.exceptions == []
    assert "ANA as PUBLIC" in ana.text
    assert ("Total: 13" in ana.text, "Total: 200" in bob.text) == (True, True)

    issuer.audience = "urn:another"
    cyd = tab_of(person, issuer, one, "cyd")
    assert "Snowflake does not accept your login's token." in cyd.text
    assert "docs/snowflake.md" in cyd.text


def test_a_dropped_socket_keeps_the_session_at_snowflake(app, person, issuer, snowflake):
    one = app(APP, secrets=secrets_of(issuer, warehouse=snowflake.section(default=True)), st_auth={"allow": "anyone"})
    ana = tab_of(person, issuer, one, "ana")
    logins = snowflake.facts()["seen"]["logins"]

    for _ in range(3):
        ana.reconnect()
        ana.click("Again")

    assert ana.fact("own") == "ANA"
    assert snowflake.facts()["seen"]["logins"] == logins


def test_a_page_that_asks_every_half_second_shows_no_error_while_tokens_live_for_seconds(app, person, issuer, tmp_path):
    issuer.lifetime = LIFETIME
    short = {"SESSION_LIFETIME": str(LIFETIME), "MASTER_LIFETIME": str(LIFETIME)}
    with SnowflakeServer(tmp_path, issuer=issuer.issuer, jwks_uri=f"{issuer.issuer}/jwks", **short) as snowflake:
        one = app(APP, secrets=secrets_of(issuer, warehouse=snowflake.section(default=True)), st_auth={"allow": "anyone"})
        ana = tab_of(person, issuer, one, "ana", "?tick=1")
        bob = tab_of(person, issuer, one, "bob", "?tick=1")
        refreshes, began, ticks = issuer.refresh_count, time.monotonic(), 0

        while time.monotonic() - began < SECONDS:
            for name, tab in (("ana", ana), ("bob", bob)):
                tab.tick()
                ticks += 1
                assert tab.exceptions == []
                assert tab.fact("tick") == name.upper()
            time.sleep(0.3)

        facts = snowflake.facts()
        lifetimes = (time.monotonic() - began) / LIFETIME
        assert ticks > SECONDS
        assert facts["tokens"] >= 1.5 * SECONDS / LIFETIME  # two people's, at a tick that may come late
        assert issuer.refresh_count - refreshes <= 2 * (lifetimes * 10 / 9 + 1)
