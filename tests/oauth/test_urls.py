import pytest
from hypothesis import given, strategies as st

from st_auth.oauth.urls import discovery_url, host_of, is_absolute_uri, is_loopback, is_secure, with_query


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example",
        "https://a.example:8443/x/",
        "http://localhost:9000/x",
        "http://app.localhost",
        "http://127.1.2.3/",
        "http://[::1]:1/",
    ],
)
def test_x18_https_and_plain_http_on_loopback_are_secure(url):
    assert is_secure(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example/",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example",
        "ftp://a.example",
        "//a.example/x",
        "/x",
        "",
        "https://",
        "https:///x",
        "https://user@a.example/",
        "https://a.example/#x",
        "https://a.example/#",
        "https://a.example/ x",
        "https://a.example\\@evil.example/",
        "https://a.example/\n",
        "https://ä.example/",
        "https://a.example:99999/",
        "https://[::1",
        None,
        7,
    ],
)
def test_x18_everything_else_is_not(url):
    assert not is_secure(url)


def test_loopback_is_told_by_the_whole_name():
    assert is_loopback("LOCALHOST.")
    assert not is_loopback("localhost.example")


def test_one_slash_at_the_end_of_an_issuer_is_taken_away_before_the_suffix():
    assert discovery_url("https://a.example/") == "https://a.example/.well-known/openid-configuration"
    assert discovery_url("https://a.example/x") == "https://a.example/x/.well-known/openid-configuration"
    assert discovery_url("https://a.example//") == "https://a.example//.well-known/openid-configuration"


@given(st.text())
def test_no_text_makes_it_raise(url):
    assert is_secure(url) in (True, False)
    assert is_secure("http://" + url) in (True, False)


@pytest.mark.parametrize("uri", ["https://api.acme.com", "urn:snowflake", "api://0d4b/x?y=1", "http://[::1]:1/", "a:b", "https://a/%20"])
def test_res01_a_uri_with_a_scheme_and_no_fragment_is_absolute(uri):
    assert is_absolute_uri(uri)


@pytest.mark.parametrize(
    "uri", ["", "a", "/a", "//a/b", "https:", "https://a#", "https://a/#b", "a b:c", "urn:a b", "urn:é", "urn:a\n", "1:a", 'u:"', "u:<a>"]
)
def test_res01_anything_else_is_not(uri):
    assert not is_absolute_uri(uri)


def test_a_query_goes_behind_the_one_that_is_there_and_names_may_come_again():
    assert with_query("https://a/x?t=1&e=", [("r", "urn:ä&b"), ("r", "2")]) == "https://a/x?t=1&e=&r=urn%3A%C3%A4%26b&r=2"


@pytest.mark.parametrize(
    "url",
    [
        "https://issuer.example/a b",
        "https://issuer.example\\@evil.example",
        "https://issuer.example/\\",
        "https://[::1",
        "https://a:99999/",
    ],
)
def test_x18_an_address_with_a_space_a_backslash_or_no_sense_is_not_secure(url):
    assert is_secure(url) is False


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "app.localhost", "app.localhost.", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1"]
)
def test_this_machine_has_many_names(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "localhost.example", "localhostx", "127.0.0.1.example", "128.0.0.1", "::2", "::ffff:128.0.0.1", "[::2]", "x::1"]
)
def test_other_machines_are_not_this_one(host):
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("url", "host"), [("https://a.example:8443/x", "a.example"), ("https://[::1]/", "::1"), ("/x", ""), ("", ""), ("https://[::1", "")]
)
def test_the_host_of_an_address_is_its_name_alone(url, host):
    assert host_of(url) == host
