"""A person's files in a real app: theirs whichever way they ask, over with the login; the example as people see it."""

from pathlib import Path

import pytest

from tests.connections.lakes import PEOPLE, lakes_in
from tests.flows.people import secrets_of, tab_of
from tests.servers.object_stores import ROLE
from tests.servers.storage_gateway import GCSGateway, S3Gateway

APP = Path(__file__).parents[1] / "apps" / "files.py"
EXAMPLE = Path(__file__).parents[2] / "examples" / "files.py"


@pytest.fixture(scope="module")
def lakes(tmp_path_factory):
    yield from lakes_in(tmp_path_factory.mktemp("lakes"))


@pytest.fixture
def s3(lakes):
    with S3Gateway(lakes.s3.port) as gateway:
        yield gateway


@pytest.fixture
def gs(lakes):
    with GCSGateway(lakes.gs.port, lakes.issuer) as gateway:
        yield gateway


def with_lake(lakes, **section):
    return secrets_of(lakes.issuer, lake={"type": "st_auth.FilesConnection", "token_from": "default", **section})


def on_s3(lakes, gateway, **more):
    return with_lake(lakes, url="s3://lake/{sub}", role_arn=ROLE, endpoint=gateway.origin, **more)


@pytest.mark.parametrize("store", ["s3", "gs"])
def test_a16_a17_a32_three_people_have_their_own_files_whichever_way_they_ask(app, person, lakes, s3, gs, store):
    secrets = on_s3(lakes, s3) if store == "s3" else with_lake(lakes, url="gs://lake/{sub}", endpoint=gs.origin)
    one = app(APP, secrets=secrets, st_auth={"allow": "anyone"})
    tabs = {name: tab_of(person, lakes.issuer, one, name) for name in PEOPLE}

    for _ in range(2):
        for name, tab in tabs.items():
            tab.click("Again")
            assert tab.exceptions == []
            assert (tab.fact("own"), tab.fact("door"), tab.fact("same")) == (name, name, "True")
            assert {tab.fact(way) for way in ("polars", "arrow", "threads")} == {f"{{'{name}'}}"}
            assert (tab.fact("unbound"), tab.fact("others")) == ("no_run", "other_session")
            assert (tab.fact("cached"), tab.fact("hashed")) == ("This result would be shown to e",) * 2


def test_a_logout_ends_the_files_of_an_open_page_and_nobody_elses(app, person, lakes, s3):
    one = app(APP, secrets=on_s3(lakes, s3), st_auth={"allow": "anyone"})
    ana, bob = (tab_of(person, lakes.issuer, one, name) for name in ("ana", "bob"))
    keys = set(s3.keys["ana"])

    ana.click("Log out", wait=False)

    assert ana.wait_closed()
    bob.click("Again")
    assert (bob.exceptions, bob.fact("own")) == ([], "bob")
    before = len(s3.asked)
    bob.click("Again")
    assert not any(key in asked.headers.get("authorization", "") for asked in s3.asked[before:] for key in keys)


def test_the_example_shows_the_persons_own_tables_and_a_refusal_in_plain_words(app, person, lakes, s3):
    lakes.s3.put("ana/2026/orders.csv", b"region,amount\neu,17\n")
    lakes.s3.put("bob/2026/orders.csv", b"region,amount\nus,4200\n")
    one = app(EXAMPLE, secrets=on_s3(lakes, s3), st_auth={"allow": "anyone"})

    ana, bob = (tab_of(person, lakes.issuer, one, name) for name in ("ana", "bob"))

    assert ana.exceptions == bob.exceptions == []
    assert ("20 bytes" in ana.text, "22 bytes" in bob.text) == (True, True)

    s3.no_roles = "AccessDenied"
    cyd = tab_of(person, lakes.issuer, one, "cyd")
    assert "you may not take the role of this connection" in cyd.text
    assert "docs/files.md" in cyd.text

    s3.no_roles = ""
    ana.upload("Add a table", "new.csv", b"a\n1\n")
    ana.click("Upload")
    assert ana.exceptions == []
    assert lakes.s3.get("ana/uploads/new.csv") == b"a\n1\n"
