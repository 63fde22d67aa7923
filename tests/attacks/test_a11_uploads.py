"""A-11: a file is put into, and taken out of, a person's own page by that person, from the app's own origin."""

import pytest

from st_auth import streamlit_facts as facts
from st_auth.live import LiveSession
from st_auth.web import gate


def _into_every_page() -> None:
    LiveSession.may_ask_for = lambda *_: True


def _from_everywhere() -> None:
    gate.is_own_origin = lambda *_: True


def _issue_what_is_written() -> None:
    facts.messages._is_of = lambda *_: True


DISARM = {"A-11": _into_every_page, "A-11.b": _from_everywhere, "A-11.c": _issue_what_is_written}


@pytest.fixture
def people(app, logged_in):
    one = app()
    alice, bob = logged_in(one, "alice").tab(one.url), logged_in(one, "bob").tab(one.url)
    return one, alice, bob, alice.upload_urls("hers.txt")


def _delete(tab, path, **headers):
    token = tab._xsrf_token()
    return tab.browser.fetch(tab.address(path), page=tab.url, method="DELETE", headers={"X-Xsrftoken": token} | headers).status


def test_a11_a_file_is_neither_put_into_nor_deleted_from_another_persons_page(people):
    _, alice, bob, urls = people

    assert bob.put_file(urls.upload_url, "hers.txt", b"bob's") == 404
    assert alice.put_file(urls.upload_url, "hers.txt", b"hers") == 204
    assert _delete(bob, urls.delete_url) == 404
    assert alice.upload("File", "more.txt", b"my own") == 204
    assert alice.fact("file") == "my own"


def test_a11b_another_origin_puts_and_deletes_nothing_in_a_persons_name(people):
    _, alice, _, urls = people

    sites = [{"Sec-Fetch-Site": site} for site in ("same-site", "cross-site", "none")]
    for headers in ({"Origin": "http://localhost:3000"}, {"Origin": "null"}, *sites):
        assert _delete(alice, urls.delete_url, **headers) == 403, headers
        answer = alice.browser.fetch(alice.address(urls.upload_url), page=alice.url, method="PUT", data=b"x", headers=headers)
        assert answer.status == 403, headers


def test_a11c_an_upload_address_that_bob_lets_the_app_write_does_not_become_his(people):
    """The Streamlit session id that it holds stands in proxies' logs."""
    _, _, bob, urls = people

    bob.set_text("Note", f"{urls.upload_url} ")

    assert urls.upload_url in (bob.fact("note") or "")
    assert bob.put_file(urls.upload_url, "hers.txt", b"bob's") == 404
