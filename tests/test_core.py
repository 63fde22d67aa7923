"""The parts of one app, put together once."""

import base64
import logging

import pytest
from itsdangerous import URLSafeTimedSerializer

from st_auth.config import Host, parse
from st_auth.core import build
from st_auth.errors import ConfigError, Unavailable
from st_auth.http import Http
from st_auth.testing import FakeIssuer
from st_auth.testing.store_contract import TurnedClock

SECRET = "only for tests, and never anywhere else than here"
KEYS = [f"{name}:{base64.b64encode(bytes(range(first, first + 32))).decode()}" for name, first in (("new", 0), ("old", 50))]


def config(keys=(), auth=None, **own):
    section = FakeIssuer(serve=False).section()
    settings = {"redirect_uri": "http://localhost:8501/oauth2callback", "cookie_secret": SECRET, "okta": section, **(auth or {})}
    return parse({"auth": settings, "st_auth": {"store": "memory://", "keys": list(keys), **own}}, Host(port=8501), env={})


def test_an_app_has_one_client_a_provider_and_its_limits():
    core = build(config(idle_timeout="1h", max_per_user=2))

    assert list(core.clients) == ["okta"]
    assert (core.live.limits.idle.total_seconds(), core.live.limits.max_per_user) == (3600, 2)
    assert dict(core.dev) == {}
    core.close()


def test_the_development_provider_is_reached_without_a_socket():
    core = build(config(auth={"dev": {"profile": "dev"}}))

    assert list(core.dev) == ["dev"]
    assert core.clients["dev"].metadata().issuer == core.dev["dev"].issuer
    core.close()


def test_tests_give_their_own_transport_and_clock():
    clock, issuer = TurnedClock(), FakeIssuer(serve=False)

    core = build(config(), clock.clock, http=lambda _: Http(issuer.transport))

    assert core.clients["okta"].metadata().issuer == issuer.issuer
    assert core.clock is clock.clock


def test_a_closed_core_answers_nobody():
    core = build(config())
    core.close()

    with pytest.raises(Unavailable):
        core.store.get("x")


def test_what_was_signed_for_one_purpose_is_nothing_for_another():
    core = build(config())
    text = core.sign("ended", {"why": "idle"})

    assert core.unsign("ended", text, 60) == {"why": "idle"}
    assert core.unsign("logout", text, 60) is None
    said, _, signature = text.rpartition(".")
    assert core.unsign("ended", f"{said}.{'b' if signature[0] == 'a' else 'a'}{signature[1:]}", 60) is None
    assert core.unsign("ended", "", 60) is None
    assert core.unsign("ended", "é.ü.x", 60) is None


def test_what_was_signed_too_long_ago_is_nothing():
    core = build(config())

    assert core.unsign("ended", core.sign("ended", "x"), -1) is None


def test_another_apps_secret_signs_nothing_for_this_one():
    text = build(config(auth={"cookie_secret": "another " * 5})).sign("ended", "x")

    assert build(config()).unsign("ended", text, 60) is None
    assert build(config()).unsign("ended", URLSafeTimedSerializer(SECRET, salt="ended").dumps("x"), 60) is None


def test_after_a_rotation_the_new_key_signs_and_the_old_one_still_counts():
    old, both, new = build(config(KEYS[1:])), build(config(KEYS)), build(config(KEYS[:1]))

    assert both.unsign("ended", old.sign("ended", "x"), 60) == "x"
    assert new.unsign("ended", both.sign("ended", "x"), 60) == "x"
    assert old.unsign("ended", both.sign("ended", "x"), 60) is None


@pytest.mark.parametrize("key", ["no colon", "a:short", "a:%%%", ":AAAA", "a:" + "A" * 43])
def test_a_key_that_is_none_is_a_problem_that_says_how_to_make_one(key):
    with pytest.raises(ConfigError, match="st-auth keys new") as caught:
        build(config([key]))

    assert caught.value.problems[0].key == "st_auth.keys"


def test_a_store_that_is_none_is_a_problem():
    with pytest.raises(ConfigError, match=r"st_auth\.store"):
        build(config(store="redis://localhost"))


def test_warnings_are_logged_once_at_the_start(caplog):
    caplog.set_level(logging.WARNING)

    build(config(auth={"cookie_secret": "short"}))

    assert "under 32 bytes" in caplog.text
    assert "short" not in caplog.text
