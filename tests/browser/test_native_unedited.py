"""The promise to existing apps: the sales desk of tests/apps/native, as it is, under plain Streamlit."""

from tests.conftest import APPS


def test_the_sales_desk_runs_under_plain_streamlit_unchanged(app, native_secrets, person):
    desk = app(APPS / "native", way="native", secrets=native_secrets)
    bob = person()
    bob.login(f"{desk.url}orders?status=open", "bob", button="Log in as staff")
    tab = bob.tab(desk.url)

    assert {"Overview", "Orders", "Account"} <= tab.pages.keys()
    assert {"Good morning, Bob B", "Region: Americas", "Group: admins", "Group: analysts", "You may close the month."} <= set(tab.lines)
    tab.go_to("Orders")
    assert {"Orders: Desk", "Total: 310"} <= set(tab.lines)
    tab.go_to("Account")
    assert {"E-mail: bob@example.test (verified: True)", "Provider: staff", "Tokens: access, id", "ID token parts: 3"} <= set(tab.lines)
    tab.click("Log out", wait=False)
    assert tab.wait_for(lambda t: t.redirected_to, "the logout") == "/auth/logout"
    assert tab.exceptions == []
