"""A-09: two small answers are public, because the front end wants them before it opens a socket. They tell nothing of anybody."""

from st_auth.web import gate


def _open_metrics() -> None:
    gate._OPEN = gate._OPEN | {"/_stcore/metrics", "/app/static/x.txt", "/_stcore/agent/openapi.json"}
    gate._CLOSED = "/nothing"


DISARM = {"A-09": _open_metrics}
ASKED = (
    "/_stcore/health",
    "/_stcore/host-config",
    "/_stcore/metrics",
    "/_stcore/script-health-check",
    "/_stcore/agent/openapi.json",
    "/_stcore/allowed-message-origins",
    "/_stcore/message",
    "/healthz",
    "/script-health-check",
    "/st-metrics",
    "/component/x.y/index.html",
    "/_stcore/bidi-components/x/y.js",
    "/app/static/x.txt",
    "/static/index.html",
    "/index.html",
    "/manifest.json",
    "/favicon.png",
    "/vendor/x.js",
    "/oauth2callback/x",
    "/auth/x",
    "/auth",
    "/%2e%2e/_stcore/metrics",
    "/_stcore/health/",
    "/_stcore/health/x",
    "/_stcore/health%20",
    "/_STCORE/health",
    "/_stcore//health",
    "/_stcore/health;x",
    "/_stcore/health%00",
    "/_stcore/health%0a",
)


def test_a09_only_health_and_host_config_answer_without_a_login(app, person):
    one = app(config={"server": {"enableStaticServing": True}}, begin=False)
    (one.folder / "static").mkdir()
    (one.folder / "static" / "x.txt").write_text("a file of the app")
    one.start()
    stranger = person()

    answered = [path for path in ASKED if stranger.fetch(f"{one.origin}{path}", page=one.url, follow=False).status < 300]

    assert answered == ["/_stcore/health", "/_stcore/host-config"]
    assert stranger.fetch(f"{one.origin}/_stcore/health", page=one.url).text == "ok"
    assert stranger.jar.for_host() and {c.name for c in stranger.jar.for_host()} == {"_streamlit_xsrf"}
