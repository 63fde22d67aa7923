"""A-07: Streamlit's API for agents runs the app for anybody. By refusal: with it on nothing starts, and off its paths do not exist."""

from st_auth import streamlit_facts as facts
from st_auth.web import gate
from tests.servers.processes import wait_until


def _serve_agents() -> None:
    facts.unsafe_options = list
    gate._CLOSED = "/nothing"
    gate.Gate._refuse_unknown = lambda *_: None


DISARM = {"A-07": _serve_agents, "A-07.b": _serve_agents}
PATHS = ("/_stcore/agent", "/_stcore/agent/", "/_stcore/agent/openapi.json", "/_stcore/agent/interact", "/_stcore/agent/mcp")


def test_a07_with_the_option_on_nobody_runs_the_app(app, person):
    one = app(begin=False, options=["--server.enableAgentApi", "true"]).start(wait=False)
    wait_until(lambda: not one.process.is_running or one.is_healthy(), "a start or a refusal", seconds=40)

    assert one.process.exit_code == 2, person().request("POST", f"{one.origin}/_stcore/agent/interact", data=b"{}").text[:500]
    assert "server.enableAgentApi" in one.output


def test_a07b_its_paths_are_not_there_for_strangers_nor_for_people(app, logged_in, person):
    one = app()
    alice, stranger = logged_in(one, "alice"), person()

    found = {
        (who, method, path): page.status
        for who, browser in (("alice", alice), ("stranger", stranger))
        for method in ("GET", "POST", "OPTIONS")
        for path in PATHS
        for page in [browser.request(method, f"{one.origin}{path}", referrer=one.url, dest="empty", mode="cors", follow=False)]
        if page.status != 404
    }

    assert found == {}
