"""Snowflake keeps the contract: the real driver, over HTTP, at a gateway that verifies each person's token."""

import json
from functools import partial

import pytest

from st_auth.errors import ConnectionFailed, CrossSessionError, LoginRequired, PermissionDenied
from st_auth.testing.connection_contract import ConnectionContract
from tests.connections.cursors import CursorContract
from tests.connections.grounds import TokenGround, builder


class SnowGround(TokenGround):
    def __init__(self, servers, **more):
        self.server = servers.snowflake
        super().__init__(servers.issuer, servers.snowflake.section(**more))

    def who(self, handle):
        return handle.query("select current_user() as me", as_="arrow")["ME"][0].as_py().lower()

    def live(self):
        return self.server.live()

    def end_at_server(self, person):
        self.server.expire(person)

    def as_person(self, person, role=None):
        live = self.log_in(person)
        return live, self.handle(live, role)


@pytest.fixture
def build(servers):
    with builder(partial(SnowGround, servers)) as build:
        yield build


@pytest.fixture
def ground(build):
    return build()


class TestSnowflake(ConnectionContract, CursorContract):
    checks = 1_500
    share = 0.15

    @pytest.fixture
    def ground(self, build):
        return build(role="{role}")


def failed(ground, live, act):
    with ground.runs.of(live.login_id), pytest.raises(ConnectionFailed) as caught:
        act()
    return caught.value


# -- rows and frames -----------------------------------------------------------------------------------------------------------


def test_each_person_sees_the_rows_of_their_region(build):
    ground = build(database="SALES", schema="PUBLIC")
    live, handle = ground.as_person("ana")
    with ground.runs.of(live.login_id):
        cursor = handle.cursor()
        cursor.execute("create table if not exists orders (region text, amount int)")
        cursor.execute("delete from orders")
        cursor.execute("insert into orders values ('eu', 1), ('eu', 2), ('us', 30), ('apac', 400)")

    sums = {}
    for person in ("ana", "bob", "cyd"):
        live, handle = ground.as_person(person)
        with ground.runs.of(live.login_id):
            sums[person] = int(handle.query("select sum(amount) as total from orders")["TOTAL"][0])
    assert sums == {"ana": 3, "bob": 30, "cyd": 400}


@pytest.mark.parametrize("as_", ["pandas", "polars", "arrow"])
def test_rows_come_as_the_frame_that_was_asked_for_with_the_parameters_bound(ground, as_):
    live, handle = ground.as_person("ana")
    with ground.runs.of(live.login_id):
        frame = handle.query("select %s as words, %s as number", params=("it's; -- “x”", 7), as_=as_)

    assert type(frame).__module__.split(".")[0] == {"arrow": "pyarrow"}.get(as_, as_)
    assert frame.shape == (1, 2)
    assert str(frame["WORDS"][0]) == "it's; -- “x”"


def test_a_cursor_is_the_persons_too_and_ends_with_the_login(ground):
    live, handle = ground.as_person("ana")
    with ground.runs.of(live.login_id):
        cursor = handle.cursor()
        assert cursor.execute("select current_user()").fetchone() == ("ANA",)
        ground.log_out(live)
        with pytest.raises(LoginRequired):
            cursor.execute("select 1")


def test_a32_batches_of_a_cursor_begun_in_one_run_do_not_go_on_in_another_persons(ground):
    ana, hers = ground.as_person("ana")
    bob, _ = ground.as_person("bob")
    with ground.runs.of(ana.login_id):
        batches = hers.cursor().execute("select 1 as x").fetch_pandas_batches
        assert [len(frame) for frame in batches()] == [1]
    with ground.runs.of(bob.login_id), pytest.raises(CrossSessionError):
        batches()


def test_the_session_carries_a_tag_that_says_whose_it_is(ground, servers):
    live, handle = ground.as_person("cyd")
    with ground.runs.of(live.login_id):
        ground.who(handle)

    tag = json.loads(servers.snowflake.facts()["tags"]["CYD"])
    assert tag == {"app": ground.core.config.app_id, "user": "cyd", "login": live.login_id}


# -- roles ---------------------------------------------------------------------------------------------------------------------


def role_of(ground, live, handle):
    with ground.runs.of(live.login_id):
        return handle.query("select current_role() as r", as_="arrow")["R"][0].as_py()


def test_a_role_follows_from_a_claim_and_when_the_claim_changes_the_old_session_is_closed(build, servers):
    ground = build(role="{role}")
    live, handle = ground.as_person("ana")
    assert role_of(ground, live, handle) == "ANALYST"

    servers.issuer.people["ana"]["role"] = "AUDITOR"
    ground.renew(live)

    assert role_of(ground, live, handle) == "AUDITOR"
    ground.core.pool._closing.close()
    assert servers.snowflake.facts()["live"].get("ANA") == 1


def test_what_was_kept_for_one_role_is_not_given_in_another(build, servers):
    ground = build(role="{role}")
    live, handle = ground.as_person("ana")

    def asked():
        with ground.runs.of(live.login_id):
            return handle.query("select current_role() as r", ttl="1h", as_="arrow")["R"][0].as_py()

    assert asked() == "ANALYST"
    servers.issuer.people["ana"]["role"] = "AUDITOR"
    ground.renew(live)
    assert asked() == "AUDITOR"


def test_another_option_that_follows_from_a_claim_opens_another_session_and_closes_the_first(build, servers):
    ground = build(database="{region}")
    live, handle = ground.as_person("ana")
    assert role_of(ground, live, handle) == "ANALYST"
    with ground.runs.of(live.login_id):
        first = handle.raw
    servers.issuer.people["ana"]["region"] = "us"
    ground.renew(live)

    with ground.runs.of(live.login_id):
        assert handle.raw is not first
    ground.core.pool._closing.close()
    assert first.is_closed()


def test_two_roles_at_once_are_two_sessions(ground, servers):
    live = ground.log_in("ana")
    assert role_of(ground, live, ground.handle(live, "ANALYST")) == "ANALYST"
    assert role_of(ground, live, ground.handle(live, "AUDITOR")) == "AUDITOR"
    assert role_of(ground, live, ground.handle(live, "ANALYST")) == "ANALYST"
    assert servers.snowflake.facts()["live"]["ANA"] == 2


def test_a_role_that_the_token_does_not_allow_is_told_in_the_persons_words(ground):
    live, handle = ground.as_person("bob", "CHIEF")
    error = failed(ground, live, lambda: ground.who(handle))
    assert (error.code, error.__cause__.errno) == ("role_not_granted", 390317)
    assert "role" in str(error)
    assert "390317" not in str(error)


@pytest.mark.parametrize("claim", [None, "", ["A", "B"], {"a": 1}, True])
def test_a_claim_that_is_not_exactly_one_text_is_named_and_nothing_is_opened(build, servers, claim):
    ground = build(role="{role}")
    servers.issuer.people["ana"]["role"] = claim
    live, handle = ground.as_person("ana")
    before = servers.snowflake.facts()["seen"].get("logins", 0)

    with ground.runs.of(live.login_id), pytest.raises(PermissionDenied) as caught:
        ground.who(handle)

    assert (caught.value.code, caught.value.claim) == ("claim_missing", "role")
    assert servers.snowflake.facts()["seen"].get("logins", 0) == before


# -- what may fail -------------------------------------------------------------------------------------------------------------


def test_a_token_for_another_audience_is_tried_anew_once_and_then_told_to_the_administrator(ground, servers):
    live, handle = ground.as_person("ana")
    ground.refuse()
    refreshes = servers.issuer.refresh_count
    before = servers.snowflake.facts()["seen"].get("refused 390303", 0)

    error = failed(ground, live, lambda: ground.who(handle))
    again = failed(ground, live, lambda: ground.who(handle))

    assert (error.code, again.code) == ("token_not_accepted", "token_not_accepted")
    assert "docs/snowflake.md" in error.hint
    assert servers.issuer.refresh_count == refreshes + 1
    assert servers.snowflake.facts()["seen"]["refused 390303"] == before + 2


def test_a_token_that_the_server_finds_expired_is_renewed_without_anybody_noticing(ground, servers):
    servers.issuer.tokens = lambda answer: {**answer, "expires_in": 3600}
    servers.issuer.lifetime = -10
    live, handle = ground.as_person("ana")
    servers.issuer.tokens, servers.issuer.lifetime = None, 3600

    with ground.runs.of(live.login_id):
        assert ground.who(handle) == "ana"
    assert servers.snowflake.facts()["seen"]["refused 390318"] >= 1


def test_a_user_that_is_not_the_tokens_is_refused(build):
    ground = build(user="bob")
    live, handle = ground.as_person("ana")
    assert failed(ground, live, lambda: ground.who(handle)).code == "wrong_user"


def test_a_server_that_does_not_answer_is_unreachable_and_not_asked_again_for_five_seconds(build):
    ground = build(port=9, login_timeout=1)
    live, handle = ground.as_person("ana")
    first = failed(ground, live, lambda: ground.who(handle))
    second = failed(ground, live, lambda: ground.who(handle))
    assert first.code == "unreachable"
    assert second is first


def test_a_statement_that_snowflake_refuses_names_the_connection_and_says_why(ground):
    live, handle = ground.as_person("ana")
    error = failed(ground, live, lambda: handle.query("select nonsense from"))
    assert error.code == "query_failed"
    assert str(error).startswith("The connection “it” failed: ")


def test_a_session_that_expires_is_renewed_by_the_driver_without_a_new_login(ground, servers):
    live, handle = ground.as_person("ana")
    with ground.runs.of(live.login_id):
        ground.who(handle)
        before = servers.snowflake.facts()["seen"]
        servers.snowflake.expire("ana", "session")
        assert ground.who(handle) == "ana"
    after = servers.snowflake.facts()["seen"]
    assert (after["logins"], after["renewals"]) == (before["logins"], before.get("renewals", 0) + 1)


def test_a_session_whose_renewal_breaks_is_opened_once_more(ground, servers):
    live, handle = ground.as_person("ana")
    with ground.runs.of(live.login_id):
        ground.who(handle)
        before = servers.snowflake.facts()["seen"]["logins"]
        servers.snowflake.expire("ana", "cut")
        assert ground.who(handle) == "ana"
    assert servers.snowflake.facts()["seen"]["logins"] == before + 1


def test_a_statement_whose_error_holds_the_words_of_a_broken_renewal_is_not_run_again(ground, servers):
    live, handle = ground.as_person("ana")
    with ground.runs.of(live.login_id):
        ground.who(handle)
    before = servers.snowflake.facts()["seen"]["queries"]
    error = failed(ground, live, lambda: handle.query("select cast('Failed to refresh session' as int)"))
    assert "Failed to refresh session" in str(error)
    assert servers.snowflake.facts()["seen"]["queries"] == before + 1


def test_the_drivers_arguments_keep_no_token_on_disk_and_open_no_browser(ground):
    live, handle = ground.as_person("ana")
    with ground.runs.of(live.login_id):
        config = getattr(handle.raw, "config", handle.raw)  # the older driver keeps its arguments by itself
    is_kept = getattr(config, "client_store_temporary_credential", getattr(config, "_client_store_temporary_credential", None))
    assert is_kept is False
    assert getattr(config, "authenticator", getattr(config, "_authenticator", "")).lower() == "oauth"
