"""Addresses with parameters: what is filled in is a host or one segment, and can lead nowhere else."""

import pytest

from st_auth.oauth.url_template import fill, parameters_in

NO_HOST = "is not a host name"
NO_SEGMENT = "is not a single path segment of letters, digits and ._~-"
BOTH = "https://{host}/a/{x}/b/c/{y}/d"


def test_a_template_tells_its_parameters():
    assert parameters_in("https://{region}.acme.com/{pool_1}/x/{pool_1}") == {"region", "pool_1"}
    assert parameters_in("https://acme.com/{}/{a-b}") == set()


def test_a_parameter_may_be_a_part_of_the_host_or_of_a_segment():
    values = {"region": "eu-1", "pool": "p_2"}

    assert fill("https://idp.{region}.acme.com/x-{pool}/v2", values, ()) == ("https://idp.eu-1.acme.com/x-p_2/v2", {})


@pytest.mark.parametrize(
    ("x", "y", "address"),
    [
        ("1", "2", "https://acme.com/a/1/b/c/2/d"),
        ("", "2", "https://acme.com/b/c/2/d"),
        ("1", "", "https://acme.com/a/1/d"),
        ("", "", "https://acme.com/d"),
    ],
)
def test_an_empty_optional_one_takes_its_segment_away_and_the_fixed_ones_that_lead_to_it(x, y, address):
    assert fill(BOTH, {"host": "acme.com", "x": x, "y": y}, ("x", "y")) == (address, {})


def test_a_segment_goes_if_only_one_of_its_parameters_is_empty():
    assert fill("https://acme.com/b/{z}/a/{x}-{y}", {"x": "1", "y": "", "z": "2"}, ("y",)) == ("https://acme.com/b/2", {})


def test_a_template_that_is_one_parameter_is_taken_as_it_is_but_not_as_nothing():
    assert fill("{x_issuer_x}", {"x_issuer_x": "http://a/?b#c"}, ()) == ("http://a/?b#c", {})
    assert fill("{issuer}", {"issuer": ""}, ("issuer",)) == ("", {"issuer": "is missing"})


def test_all_that_is_missing_or_wrong_is_named():
    assert fill(BOTH, {"host": "", "x": "/", "y": ""}, ("x",))[1] == {"host": "is missing", "x": NO_SEGMENT, "y": "is missing"}
    assert fill("https://{a}.{b}.com/", {"a": "a/", "b": "@"}, ())[1] == {"a": NO_HOST, "b": NO_HOST}


@pytest.mark.parametrize("host", ["a", "Acme.okta-1.com", "acme.com:8", "127.0.0.1:65535"])
def test_a_host_may_have_a_port(host):
    assert fill("https://{host}/x", {"host": host}, ()) == (f"https://{host}/x", {})


@pytest.mark.parametrize(
    "host",
    [
        "-a",
        "a-",
        ".a",
        "a.",
        "a:",
        "a:b",
        "a:123456",
        "a:1:2",
        "a/b",
        "a@b",
        "a?b",
        "a#b",
        "a\\b",
        "a_b",
        "a b",
        "a\n",
        "é",
        "[::1]",
        "%61",
    ],
)
def test_what_is_no_host_is_not_taken_for_one(host):
    assert fill("https://{host}/x", {"host": host}, ())[1] == {"host": NO_HOST}


@pytest.mark.parametrize("segment", ["a", "A.b_c~d-9", "...", ".well-known", "_", "-"])
def test_a_segment_is_of_unreserved_characters(segment):
    assert fill("https://acme.com/{x}/y", {"x": segment}, ()) == (f"https://acme.com/{segment}/y", {})


@pytest.mark.parametrize("segment", [".", "..", "a/b", "a\\b", "a?b", "a#b", "a:b", "a@b", "a b", "a\n", "%2e", "%2e%2e", "é", ";"])
def test_what_leads_out_of_its_segment_is_not_taken_for_one(segment):
    assert fill("https://acme.com/{x}/y", {"x": segment}, ())[1] == {"x": NO_SEGMENT}
