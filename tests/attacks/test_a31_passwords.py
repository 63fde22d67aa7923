"""A-31: a person's own password for a database is in no log, traceback, page, message or file, whatever goes wrong on its way."""

import html

import pytest

from st_auth.secret import OwnLogin, Secret
from st_auth.testing import FakeIssuer
from tests.servers.postgres import PostgresServer, password_of
from tests.servers.streamlit_app import auth_secrets


def _print() -> None:
    Secret.__repr__ = Secret.__str__ = lambda self: f"Secret({self._value!r})"
    OwnLogin.__repr__ = lambda self: f"OwnLogin({self.user!r}, {self.password!r})"


DISARM = {"A-31.e": _print}

APP = """\
import logging, sys, traceback
import streamlit as st
import st_auth

logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, force=True)
for name in ("sqlalchemy", "psycopg", "asyncio", "uvicorn", "st_auth", "streamlit"):
    logging.getLogger(name).setLevel(logging.DEBUG)
user = st_auth.require_login()
erp = user.connection("erp")


def told(act):
    try:
        print("GOT", act(), flush=True)
    except Exception as error:
        print("".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()), flush=True)
        print("CAUSE", vars(error.__cause__) if error.__cause__ else None, flush=True)
        st.exception(error)


def show():
    print(repr(erp), erp.raw, erp.raw.url, vars(erp.raw), dict(st.session_state), st.context.cookies.to_dict(), user.claims, flush=True)


st.button("Again")
if st.button("Bound"):
    told(user.bind(lambda: erp.query("select session_user::text as me")["me"][0]))
if st.button("Wrong"):
    told(lambda: erp.query("select no_such_thing"))
if st.button("Show"):
    told(show)
told(lambda: erp.query("select session_user::text as me")["me"][0])
"""
WRONG, NEW = "a-wrong-password-of-anas", "a-new-password-of-anas"


@pytest.fixture
def postgres():
    with PostgresServer(passwords=True) as server:
        yield server


def ends(tab):
    return sum(m.WhichOneof("type") == "script_finished" for m in tab.messages)


def test_a31e_whatever_goes_wrong_a_password_is_in_no_log_traceback_page_message_or_file(app, person, postgres):
    section = {"type": "st_auth.SQLConnection", "url": f"postgresql+psycopg://127.0.0.1:{postgres.port}/sales", "login": "own"}
    with FakeIssuer() as issuer:
        secrets = {**auth_secrets(**issuer.section()), "connections": {"erp": section}, "st_auth": {"allow": "anyone"}}
        one = app(APP, secrets=secrets, config={"client": {"showErrorDetails": "full"}, "logger": {"level": "debug"}})
        ana = person()
        ana.login(one.url)
        tab, pages = ana.tab(one.url, run=False), []

        def ended(act):
            """Do something and wait for the end of a run; one that asks for a login ends early."""
            before = ends(tab)
            act()
            tab.wait_for(lambda t: ends(t) > before, "the end of a run")

        def give(password):
            (link,) = [e for e in (m.delta.new_element.link_button.url for m in tab.messages[::-1]) if e][:1]
            page = ana.open(f"{one.origin}{link}", referrer=one.url)
            (form,) = page.forms
            pages.append(ana.submit(page, form, {"user": "ana", "password": password}))
            return pages[-1]

        ended(lambda: tab.rerun(wait=False))
        ended(lambda: tab.click("Bound", wait=False))
        assert give(WRONG).status == 403
        assert give(WRONG[:-1]).status == 403
        ended(lambda: give(password_of("ana")))
        assert pages[-1].path == "/auth/done"
        for label in ("Again", "Bound", "Wrong", "Show"):
            tab.click(label)
        postgres.set_password("ana", NEW)
        postgres.end_sessions("ana")
        ended(lambda: tab.click("Again", wait=False))
        ended(lambda: tab.click("Bound", wait=False))
        ended(lambda: give(NEW))
        postgres.end_sessions("ana")
        postgres.ask("alter database sales with allow_connections false", database="postgres")
        tab.click("Again")
        assert "not currently accepting" in one.output
        one.stop()
        files = b"".join(file.read_bytes() for file in one.folder.rglob("*") if file.is_file()).decode("latin-1")

    said = "\n".join([one.output, *(page.text for page in pages), *(m.SerializeToString().decode("latin-1") for m in tab.messages), files])
    assert one.output.count("GOT ana") >= 2
    assert one.output.count("Traceback") >= 4
    assert '"event": "connection_login_forgotten"' in one.output
    for text in (WRONG, WRONG[:-1], NEW, password_of("ana")):
        spelled = {text, html.escape(text), repr(text)[1:-1], text.replace(" ", "+")}
        assert [s for s in spelled if s in said] == [], text
