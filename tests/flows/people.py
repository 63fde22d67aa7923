"""Who comes to the apps of these tests, without a browser."""

from tests.servers.streamlit_app import auth_secrets


def tab_of(person, issuer, one, name, path=""):
    """Log somebody in to an app, at a `FakeIssuer` that asks nobody anything, and open a tab of theirs."""
    issuer.person = name
    browser = person()
    assert browser.open(f"{one.origin}/auth/login?provider=default&next=%2F").is_streamlit
    return browser.tab(f"{one.url}{path}")


def secrets_of(issuer, **connections):
    """The secrets of an app with connections, where people log in at this provider."""
    return {**auth_secrets(**issuer.section()), "connections": connections}
