"""Two apps on one host and two ports: cookies do not know ports, and still neither app disturbs the other."""

import pytest

from tests.browser.ground import expect_ended, expect_fact, expect_out_at_provider, expect_person, log_in, running
from tests.browser.pages import answer_provider, fact, press
from tests.servers.streamlit_app import auth_secrets


@pytest.fixture(scope="module")
def both(openid_provider, tmp_path_factory):
    quiet = openid_provider.auth_section(logout_landing="none")  # else Alice's logout would find Bob at the provider, and end his
    with (
        running(openid_provider, tmp_path_factory.mktemp("one"), secrets=auth_secrets(**quiet)) as one,
        running(openid_provider, tmp_path_factory.mktemp("two")) as two,
    ):
        yield one, two


def test_two_apps_on_one_host_do_not_disturb_each_other(both, new_context):
    one, two = both
    context = new_context()
    here, there = context.new_page(), context.new_page()
    log_in(here, one.url, "alice")
    context.clear_cookies(domain="127.0.0.1")  # so that the provider asks who it is this time
    there.goto(two.url)
    answer_provider(there, "bob")
    expect_person(there, "bob")
    expect_person(here, "alice")
    login_id = fact(there, "login_id")

    press(here, "Log out")
    expect_out_at_provider(here)
    press(there, "Count")
    expect_fact(there, "count", "1")
    there.reload()
    expect_fact(there, "login_id", login_id)
    again = context.new_page()
    again.goto(f"{one.url}auth/ended?why=logout")
    assert "bob" not in again.content()

    second = context.new_page()
    second.goto(two.url)
    expect_person(second, "bob")
    press(second, "Log out")
    expect_ended(there, "logout", seconds=2)
