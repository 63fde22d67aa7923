"""A-05: who somebody is and where they come from is said by us, and by proxies that the configuration names; never by a client."""

import json

import pytest

from st_auth.web import gate, headers
from tests.attacks.inside import PUBLIC, inside


def _believe_clients() -> None:
    headers.HeaderRules._hidden = lambda *_: frozenset()


def _believe_author_headers() -> None:
    headers.HeaderRules._hidden = lambda *_: headers._HIDDEN


def _agent_open() -> None:
    gate._CLOSED = "/nothing"


DISARM = {"A-05": _believe_clients, "A-05.b": _believe_author_headers, "A-05.c": _agent_open, "A-05.d": _believe_clients}

SPELLINGS = ("X-St-Auth-Login-Id", "x-st-auth-login-id", "X-ST-AUTH-LOGIN-ID", "X_St_Auth_Login_Id", "X-St_Auth-Login-Id")


def _config(mapping="{}"):
    return {"server": {"trustedUserHeaders": mapping}}


def _st_user(tab):
    return json.loads(tab.fact("st_user") or "{}")


def test_a05_a_login_id_that_a_client_brings_is_nobodys(app, logged_in):
    """Bob says in every spelling that he is alice's login, before and after what we say."""
    one = app()
    alice = logged_in(one, "alice").tab(one.url)
    bob = logged_in(one, "bob")

    for name in SPELLINGS:
        tab = bob.tab(one.url, headers={name: alice.fact("login_id")})
        assert tab.fact("subject") == "bob", name
        assert _st_user(tab)["st_auth_login_id"] not in (None, alice.fact("login_id")), name
        assert tab.fact("headers").count(alice.fact("login_id")) == 0, name


def test_a05b_the_authors_own_trusted_headers_are_not_taken_from_clients_nor_by_way_of_a_forged_proxy(app, logged_in):
    """Uvicorn believes X-Forwarded-For where the peer is 127.0.0.1, so the address that we see may be a client's word."""
    one = app(
        options=["--server.address", "127.0.0.1"],
        config=_config('{"X-Company-User": "company_user"}'),
        st_auth={"trusted_proxies": ["10.0.0.0/8"]},
    )
    bob = logged_in(one, "bob")

    forged = ("X-Forwarded-For", "10.1.2.3"), ("X-Forwarded-For", "10.1.2.3:4711"), ("Forwarded", "for=10.1.2.3"), ("X-Real-Ip", "10.1.2.3")
    for more in ({}, *({name: value} for name, value in forged)):
        for name in ("X-Company-User", "x-company-user"):
            tab = bob.tab(one.url, headers={name: "the boss", **more})
            assert _st_user(tab).get("company_user") is None, more
            tab.close()


@pytest.mark.parametrize("path", ["/_stcore/agent/interact", "/_stcore/agent/mcp", "/_stcore/agent/openapi.json", "/_stcore/agent"])
def test_a05c_on_the_agents_paths_no_header_makes_anybody_somebody(tmp_path, path):
    with inside(tmp_path) as app:
        cookie = app.login()
        headers = [cookie, (b"origin", PUBLIC.encode()), (b"x-st-auth-login-id", b"somebody")]
        seen = {app.http(path, h, method=m).status for h in ([], headers) for m in ("GET", "POST", "OPTIONS", "DELETE")}

        assert (seen, app.reached) == ({404}, [])


def test_a05d_what_reaches_the_app_holds_one_login_id_and_none_of_the_clients_on_http_and_websocket(tmp_path):
    forged = [(name.lower().encode(), b"forged") for name in SPELLINGS]
    with inside(tmp_path) as app:
        cookie = app.login()
        http = app.http("/page", [*forged, cookie, *forged]).reached
        socket = app.websocket([*forged, cookie, (b"origin", PUBLIC.encode()), *forged]).reached

    assert not [v for k, v in http["headers"] if v == b"forged" and b"login" in k and b"x-st_" not in k]
    ids = [v for k, v in socket["headers"] if k == b"x-st-auth-login-id"]
    assert len(ids) == 1
    assert ids != [b"forged"]
    assert b"st_auth-" not in b"".join(v for _, v in socket["headers"])
