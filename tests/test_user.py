"""What app code holds: who it is, that it ends with the session, and that it goes nowhere else."""

import copy
import json
import pickle
from dataclasses import replace
from datetime import timedelta

import pytest

from st_auth.access.permissions import Roles
from st_auth.connections.pool import Pool
from st_auth.connections.ruling import Ruling
from st_auth.errors import ConfigError, LoginRequired, PermissionDenied
from st_auth.live import Live
from st_auth.testing import Somebody
from st_auth.user import User
from tests.test_live import Anywhere, World

CLAIMS = {"sub": "ada", "roles": ["a", {"b": 1}], "name": "Ада Лавлейс"}


@pytest.fixture
def world():
    return World()


@pytest.fixture
def live(world):
    return world.begin(name="Ада Лавлейс", groups=("finance",), claims=CLAIMS)


@pytest.fixture
def user(live, world):
    return User(live, Anywhere(), world.grants, world.pool)


def test_it_says_who_logged_in(user):
    assert (user.issuer, user.subject, user.provider) == ("https://issuer.example", "ada", "default")
    assert (user.name, user.email, user.groups) == ("Ада Лавлейс", "ada@example.com", ("finance",))
    assert repr(user) == "User('Ада Лавлейс')"


def test_claims_are_whole_and_read_only(user):
    assert dict(user.claims) == CLAIMS
    assert user.claims is user.claims
    with pytest.raises(TypeError):
        user.claims["sub"] = "bob"


def test_a_person_without_an_address_has_an_empty_one(world):
    assert User(world.begin(email=None), Anywhere(), world.grants, world.pool).email == ""


def test_it_says_how_long_the_login_lasts(user, world):
    session = user.session

    assert session.started_at == world.clock.now()
    assert session.expires_at == world.clock.now() + timedelta(hours=12)
    assert session.idle_expires_at == world.clock.now() + timedelta(hours=4)
    assert repr(session) == "UserSession(***)"


@pytest.mark.parametrize("name", ["issuer", "subject", "name", "email", "groups", "claims", "provider", "session"])
def test_a13_after_the_end_every_attribute_says_that_it_is_over(world: World, live: Live, user, name):
    getattr(user, name)
    world.live.end(live, "logout")

    with pytest.raises(LoginRequired) as caught:
        getattr(user, name)

    assert caught.value.code == "session_ended"
    assert repr(user) == "User(***)"


@pytest.mark.parametrize("name", ["issuer", "subject", "name", "email", "groups", "claims", "provider", "session"])
def test_a16_in_a_function_that_is_cached_for_everybody_nothing_can_be_read(live, world, name):
    shared = User(live, Anywhere(shared=True), world.grants, world.pool)

    with pytest.raises(TypeError, match="shown to everybody"):
        getattr(shared, name)


@pytest.mark.parametrize("spread", [pickle.dumps, copy.copy, copy.deepcopy, hash])
@pytest.mark.parametrize("which", ["user", "session"])
def test_a16_it_is_not_pickled_copied_or_hashed(user, spread, which):
    value = user if which == "user" else user.session

    with pytest.raises(TypeError):
        spread(value)


def test_a16_streamlit_that_hashes_it_for_a_cache_is_told_why_not(user):
    with pytest.raises(TypeError, match="pass plain values"):
        list(user.__reduce__())


def test_users_are_equal_by_issuer_and_subject_alone(world, user):
    again = User(world.begin(name="Somebody else now"), Anywhere(), world.grants, world.pool)
    other_issuer = User(world.begin(issuer="https://other.example"), Anywhere(), world.grants, world.pool)
    other_subject = User(world.begin(subject="bob"), Anywhere(), world.grants, world.pool)

    assert user == again
    assert user != other_issuer
    assert user != other_subject
    assert user != Somebody()


# -- tokens --------------------------------------------------------------------------------------------------------------------


def test_a31_a_token_is_a_plain_text_that_does_not_show_itself_and_is_not_cached(user):
    token = user.token()

    assert f"Bearer {token}" == "Bearer test-access-token"
    assert isinstance(token, str)
    assert repr(token) == "AccessToken(***)"
    assert "test-access" not in f"{[token]!r} {token!r}"
    for spread in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            spread(token)


def test_an_exchange_needs_something_to_exchange_for(user):
    with pytest.raises(ValueError, match="resource"):
        user.token(exchange=True)


def test_the_account_of_the_login_needs_no_link(user):
    assert user.is_linked("default")
    assert not user.is_linked("lake")
    with pytest.raises(LoginRequired) as caught:
        user.token("lake")
    assert caught.value.code == "not_linked"


def test_a13_after_the_end_there_is_no_token(world, live, user):
    world.live.end(live, "logout")

    for call in (user.token, lambda: user.token(resource="https://api.acme.com"), lambda: user.is_linked("default")):
        with pytest.raises(LoginRequired) as caught:
            call()
        assert caught.value.code == "session_ended"


def test_a16_in_a_function_that_is_cached_for_everybody_there_is_no_token(live, world):
    shared = User(live, Anywhere(shared=True), world.grants, world.pool)

    with pytest.raises(TypeError, match="shown to everybody"):
        shared.token()


# -- what somebody may do ------------------------------------------------------------------------------------------------------

ROLES = Roles("groups", {"finance": frozenset({"sales:read"}), "admins": frozenset({"*"})})


@pytest.fixture
def allowed(live, world):
    return User(live, Anywhere(), world.grants, Pool({}, world.grants, world.live, ruling=Ruling(ROLES)))


def test_it_says_what_the_person_may_do(allowed):
    assert (allowed.roles, allowed.permissions) == (("finance",), {"sales:read"})
    assert [allowed.can(one) for one in ("sales:read", "sales:export")] == [True, False]
    allowed.require("sales:read")


def test_what_is_lacking_is_named_and_audited(allowed, live, caplog):
    caplog.set_level("INFO", "st_auth.audit")

    with pytest.raises(PermissionDenied, match="“sales:export”") as caught:
        allowed.require("sales:export")

    assert (caught.value.code, caught.value.permission) == ("permission_missing", "sales:export")
    assert caught.value.hint
    line = json.loads(caplog.messages[-1])
    assert (line["event"], line["permission"], line["login_id"]) == ("permission_denied", "sales:export", live.login_id)


def test_other_claims_after_a_refresh_are_other_permissions_at_once(allowed, live):
    assert not allowed.can("sales:export")
    profile = json.dumps({**json.loads(live.stored.profile_json), "groups": ["admins"]}).encode()
    live.stored = replace(live.stored, claims_json=bytes(bytearray(live.stored.claims_json)), profile_json=profile)
    assert allowed.can("sales:export")
    assert allowed.roles == ("admins",)


def test_without_a_rules_file_the_error_shows_the_smallest_one(user):
    for act in (lambda: user.roles, lambda: user.permissions, lambda: user.can("sales:read"), lambda: user.require("sales:read")):
        with pytest.raises(ConfigError, match=r"analysts = \[\"sales:read\"\]"):
            act()


def test_after_the_end_nobody_may_anything(allowed, live, world):
    assert allowed.can("sales:read")
    world.live.end(live, "logout")
    for act in (lambda: allowed.roles, lambda: allowed.can("sales:read"), lambda: allowed.require("sales:read")):
        with pytest.raises(LoginRequired):
            act()


def test_in_a_function_that_is_cached_for_everybody_nobody_is_asked_what_they_may(live, world):
    with pytest.raises(TypeError, match="shown to everybody"):
        User(live, Anywhere(shared=True), world.grants, world.pool).can("sales:read")
