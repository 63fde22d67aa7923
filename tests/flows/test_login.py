"""Logins as the wire sees them: one callback many times, many people at once, and apps that are started wrongly."""

import json
import re
import socket
from contextlib import closing
from itertools import pairwise

import pytest

from st_auth.testing import FakeIssuer
from tests.conftest import APPS
from tests.servers.processes import free_port
from tests.servers.streamlit_app import StreamlitApp, auth_secrets
from tests.speaker import Browser, together

PROBE = APPS / "probe.py"
PEOPLE = 50

CANARY = """
import json

import streamlit as st

import st_auth

user = st_auth.require_login()
st.text(f"subject={user.subject}")
st.text(f"claims={json.dumps(dict(user.claims), sort_keys=True)}")
st.text(f"st_user={json.dumps(st.user.to_dict(), sort_keys=True)}")
st.session_state.setdefault("canary", user.subject)
if st.button("Look"):
    st.session_state.looks = st.session_state.get("looks", 0) + 1
st.text(f"canary={st.session_state.canary}")
st.download_button("Download", data=f"a file of {user.subject}", file_name="mine.txt")
"""


def session_cookies(browser: Browser) -> set[str]:
    """The values of the session cookies that this browser holds for the app (not those of attempts and of the ended mark)."""
    return {c.value for c in browser.jar.for_host() if c.name.startswith("st_auth-") and c.name.count("-") == 2}


def copy_of(browser: Browser) -> Browser:
    copy = Browser()
    copy.jar = browser.jar.copy()
    return copy


def test_twenty_copies_of_one_callback_make_one_token_call_and_one_session(tmp_path, person):
    port = free_port()
    redirect_uri = f"http://localhost:{port}/oauth2callback"
    with (
        FakeIssuer(redirect_uris=(redirect_uri,)) as issuer,
        StreamlitApp(PROBE, tmp_path, secrets=auth_secrets(**issuer.section()), port=port) as app,
    ):
        ana = person()
        to_provider = ana.open(f"{app.url}auth/login?provider=default&next=%2F%3Fq%3D1", follow=False)
        callback = issuer.authorize(to_provider.header("location") or "")
        copies = [copy_of(ana) for _ in range(20)]

        answers = together([lambda one=one: one.open(callback, follow=False) for one in copies], threads=20)

        assert issuer.token_calls == 1
        winners = [one for one in copies if session_cookies(one)]
        assert len(winners) == 1
        assert {answer.status for answer in answers} <= {303, 400}
        assert all("already finished" in answer.text for answer in answers if answer.status == 400)
        assert app.output.count('"event": "login"') == 1
        assert winners[0].tab(f"{app.url}?q=1").fact("subject") == "ana"

        late = winners[0].open(callback, follow=False)
        assert (late.status, late.header("location")) == (303, "/")
        assert issuer.token_calls == 1
        winners[0].close()


def test_fifty_people_at_once_see_only_what_is_theirs(app, provider):
    crowd = app(CANARY)
    people = {f"guest{number}": Browser() for number in range(PEOPLE)}

    def come_in(name, browser):
        landed = browser.login(f"{crowd.url}?me={name}", name)
        assert landed.url == f"{crowd.url}?me={name}"
        tab = browser.tab(f"{crowd.url}?me={name}", load=False)
        for _ in range(3):
            tab.click("Look")
            assert (tab.fact("subject"), tab.fact("canary")) == (name, name)
        return tab

    tabs = dict(zip(people, together([lambda n=n, b=b: come_in(n, b) for n, b in people.items()], threads=16), strict=True))

    for name, tab in tabs.items():
        assert json.loads(tab.fact("claims"))["email"] == f"{name}@example.test"
        assert json.loads(tab.fact("st_user"))["email"] == f"{name}@example.test"
        others = {f"a file of {other}" for other in people if other != name}
        assert not others & set(tab.lines)
    login_ids = {json.loads(tab.fact("st_user"))["st_auth_login_id"] for tab in tabs.values()}
    assert len(login_ids) == PEOPLE
    _media_is_kept_apart(people, tabs)
    for browser in people.values():
        browser.close()


def _media_is_kept_apart(people, tabs):
    names = list(people)
    for name, neighbour in pairwise(names[:11]):
        (address,) = tabs[name].media
        mine = people[name].fetch(address, page=tabs[name].url)
        theirs = people[neighbour].fetch(address, page=tabs[neighbour].url)
        assert (mine.status, mine.text) == (200, f"a file of {name}")
        assert theirs.status == 404
        assert Browser().fetch(address, page=tabs[name].url).status == 401


@pytest.mark.parametrize("mode", ["before_app", "in_script"])
def test_nobody_gets_in_with_anything_but_their_own_cookie(app, person, mode):
    probe = app(st_auth={"require_login": mode})
    alice = person()
    alice.login(probe.url, in_script=mode == "in_script")
    (cookie,) = session_cookies(alice)
    stranger = person()
    name = next(c.name for c in alice.jar.for_host() if c.value == cookie)
    for value in (cookie[:-1], cookie[:-2] + ("A" if cookie[-2] != "A" else "B") + cookie[-1], "1" + "A" * 43, "", cookie + "A"):
        answer = stranger.request("GET", probe.url, headers={"Cookie": f"{name}={value}"}, follow=False)
        assert "alice" not in answer.text
        assert stranger.request("GET", f"{probe.url}app/static/x", headers={"Cookie": f"{name}={value}"}, dest="image").status == 401


def test_another_port_than_the_one_that_the_redirect_uri_names_is_refused_at_the_start(app, provider, tmp_path):
    """8501 is taken, so Streamlit moves on, and the provider would send people to whatever answers at 8501."""
    with closing(socket.socket()) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("0.0.0.0", 8501))
            taken.listen()
        except OSError:
            pass  # somebody else has it, which is the case that we want
        secrets = auth_secrets(**provider.auth_section())
        secrets["auth"]["redirect_uri"] = "http://localhost:8501/oauth2callback"
        moved = StreamlitApp(PROBE, tmp_path, secrets=secrets)
        moved._options = []
        command = [part for part in moved._command() if part not in ("--server.port", str(moved.port))]
        moved._command = lambda: command
        moved.start(wait=False)
        try:
            assert moved.process.wait(30) != 0
            assert re.search(r"names port 8501, which another program has; this app listens on 85\d\d", moved.output)
            assert "Traceback" not in moved.output
        finally:
            moved.stop()
