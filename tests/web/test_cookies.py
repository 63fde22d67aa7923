"""Our cookies on the wire: their names, that nobody else sets them, and that Streamlit sees none of them."""

from datetime import timedelta

import pytest
from hypothesis import given, settings, strategies as some

from st_auth.config import Host, parse
from st_auth.streamlit_facts import CLAIMS_COOKIES
from st_auth.web.cookies import CookieNames, expire_cookie, read_cookies, set_cookie
from tests.web.inprocess import SECRET

HOST = Host(port=8501)


def names(redirect_uri="https://sales.acme.com/oauth2callback", host=HOST, **own):
    provider = {"client_id": "x", "client_secret": "x", "server_metadata_url": "https://i.example/.well-known/openid-configuration"}
    auth = {"redirect_uri": redirect_uri, "cookie_secret": SECRET, **provider}
    return CookieNames.of(parse({"auth": auth, "st_auth": {"store": "memory://", **own}}, host, env={}))


NAMES = names()
OURS = NAMES.session


def read(*headers: str, hidden=CLAIMS_COOKIES):
    return read_cookies([(b"cookie", h.encode("latin-1")) for h in headers], NAMES, hidden)


def test_over_https_the_names_cannot_be_set_by_another_host():
    assert NAMES.session.startswith("__Host-st_auth-")
    assert NAMES.secure
    header = set_cookie(NAMES, NAMES.session, "v", timedelta(hours=1))[1].decode()
    assert header == f"{NAMES.session}=v; Max-Age=3600; Path=/; HttpOnly; SameSite=Lax; Secure"
    assert expire_cookie(NAMES, NAMES.session)[1].decode() == f"{NAMES.session}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure"


def test_on_plain_loopback_the_port_is_in_the_name_as_cookies_ignore_it():
    one, two = names("http://localhost:8501/oauth2callback"), names("http://localhost:8502/oauth2callback", Host(port=8502))

    assert one.session.endswith("-8501") and two.session.endswith("-8502")
    assert names("http://localhost/oauth2callback").session.endswith("-80")
    assert not one.secure
    assert b"Secure" not in set_cookie(one, one.session, "v", timedelta(0))[1]
    assert b"Secure" not in expire_cookie(one, one.session)[1]
    assert b"Max-Age=1;" in set_cookie(one, one.session, "v", timedelta(0))[1]


def test_apps_have_names_of_their_own_unless_they_share_a_group():
    below = Host(port=8501, base_path="sales")
    at_base = "https://sales.acme.com/sales/oauth2callback"

    assert names().session != names(at_base, below).session
    assert names(app_group="one").session == names(at_base, below, app_group="one").session


def test_each_attempt_has_a_cookie_of_its_own():
    assert NAMES.attempt_of("one") != NAMES.attempt_of("two")
    assert NAMES.attempt_of("one").startswith(NAMES.attempt)


def test_a12_ours_are_taken_out_of_what_goes_on():
    ours, rest = read(f"a=1; {OURS}=secret; b=2; st_auth-0000-8501=another; _streamlit_xsrf=2|x", "c=3")

    assert ours[OURS] == "secret"
    assert rest == b"a=1; b=2; _streamlit_xsrf=2|x; c=3"


@pytest.mark.parametrize("name", ["_streamlit_user", "_streamlit_user_tokens", "_streamlit_user_1", "_streamlit_user_tokens_12"])
def test_no_client_sends_the_claims_cookie_on_nor_a_chunk_of_it(name):
    assert read(f"{name}=forged; a=1") == ({}, b"a=1")


def test_other_cookies_of_streamlits_go_on():
    assert read("_streamlit_username=x; _streamlit_user_x=1")[1] == b"_streamlit_username=x; _streamlit_user_x=1"


@pytest.mark.parametrize(
    "header",
    [
        f"{OURS}=one; {OURS}=two",
        f"{OURS}=one; a=1;{OURS}=one",
        f"{OURS}=one; {OURS} =two",
        f"{OURS}; {OURS}=one",
        f"{OURS}={'x' * 4097}",
        f"{OURS}=a; {OURS}=b; {OURS}=c",
    ],
)
def test_a24_one_of_ours_that_comes_twice_or_oversized_counts_as_absent_and_is_logged(header, caplog):
    ours, rest = read(header)

    assert OURS not in ours
    assert OURS.encode() not in rest
    assert "not believed" in caplog.text and "one" not in caplog.text.replace(OURS, "")


def test_a24_a_tossed_cookie_does_not_harm_the_others():
    ours, _ = read(f"{OURS}=one; {NAMES.ended}=mark; {OURS}=two")

    assert ours == {NAMES.ended: "mark"}


def test_a24_a_hundred_cookies_are_read():
    ours, rest = read("; ".join(f"c{n}={n}" for n in range(99)) + f"; {OURS}=v")

    assert ours == {OURS: "v"}
    assert len(rest.split(b"; ")) == 99


def test_a24_what_is_not_ascii_goes_on_as_it_came():
    ours, rest = read_cookies([(b"cookie", b"name=caf\xe9; \xff\xfe=1; st_auth-x=\xe9"), (b"accept", b"x")], NAMES, ())

    assert rest == b"name=caf\xe9; \xff\xfe=1"
    assert ours == {"st_auth-x": "\xe9"}


def test_a_cookie_of_4096_bytes_is_read():
    assert read(f"{OURS}={'x' * 4096}")[0][OURS] == "x" * 4096


def test_without_a_cookie_header_there_is_nothing():
    assert read_cookies([(b"host", b"x")], NAMES, ()) == ({}, b"")
    assert read(";; ;")[0] == {}


@given(some.lists(some.binary(max_size=60), max_size=5))
@settings(max_examples=100)
def test_a24_no_header_breaks_the_reading_and_nothing_of_ours_goes_on(headers):
    ours, rest = read_cookies([(b"cookie", h) for h in headers], NAMES, CLAIMS_COOKIES)

    sent_on = [pair.partition(b"=")[0].strip() for pair in rest.split(b";")]
    assert not any(name.startswith((b"__Host-st_auth-", b"st_auth-")) or name == b"_streamlit_user" for name in sent_on)
    assert all(NAMES.is_ours(name) for name in ours)


@given(
    pairs=some.lists(
        some.tuples(some.sampled_from([OURS, NAMES.ended, "a", "_streamlit_user", "st_auth-z"]), some.from_regex(r"\A[a-z0-9]{0,8}\Z")),
        max_size=8,
    ),
    split=some.integers(0, 8),
)
@settings(max_examples=100)
def test_a24_a_name_of_ours_is_read_exactly_when_it_came_once(pairs, split):
    lines = [pairs[:split], pairs[split:]]

    ours, _ = read(*("; ".join(f"{k}={v}" for k, v in line) for line in lines))

    came = [k for k, _ in pairs if NAMES.is_ours(k)]
    assert ours == {k: v for k, v in pairs if came.count(k) == 1}


@pytest.mark.parametrize("blank", ["\xa0", "\x85", "\x0b", "\x0c"])
def test_a24_a_name_of_ours_behind_a_space_that_is_none_is_not_believed_and_does_not_go_on(blank):
    assert read(f"{blank}{OURS}=tossed; a=1") == ({}, b"a=1")
    assert read(f"{blank}{OURS}=tossed; {OURS}=mine")[0] == {OURS: "mine"}
