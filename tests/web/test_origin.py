"""Where a request may come from and where it may be sent, against a browser's own URL parser and against whatever anybody sends."""

import ipaddress
import itertools
import json
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given, settings, strategies as some

from st_auth.config import Host, parse
from st_auth.web.origin import client_address, host_answer, is_own_origin, is_trusted, origin_of, path_of, return_path
from tests.web.inprocess import SECRET

ORIGIN = "https://sales.acme.com"
HOSTILE = [
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "/%2fevil.example",
    "/%2f%2fevil.example",
    "/%5cevil.example",
    "/%5c%5cevil.example",
    "/%252f%252fevil.example",
    "/%25252f%25252fevil.example",
    "/%2525252f%2525252fevil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "\t//evil.example",
    " //evil.example",
    "\x00//evil.example",
    "/%09/evil.example",
    "/%0a/evil.example",
    "/%0d%0aLocation:%20https://evil.example",
    "/\r\nSet-Cookie: a=b",
    "/.//evil.example",
    "/..//evil.example",
    "/./\\evil.example",
    "/x/..//evil.example",
    "/x/../../evil.example",
    "/%2e%2e//evil.example",
    "/..;/evil.example",
    "/;/evil.example",
    "/;//evil.example",
    "https://evil.example",
    "http://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "HtTpS://evil.example",
    "javascript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "blob:https://evil.example/x",
    "@evil.example",
    "/@evil.example",
    ".evil.example",
    "evil.example",
    "?https://evil.example",
    "#https://evil.example",
    "//sales.acme.com@evil.example",
    "https://sales.acme.com@evil.example",
    "https://sales.acme.com.evil.example",
    "//evil。example",
    "/\uff0fevil.example",
    "\uff0f\uff0fevil.example",
    "/\u2044evil.example",
    "/\u2028/evil.example",
    "/\u3000/evil.example",
    "/\xa0/evil.example",
    "/\xad/evil.example",
    "/\u200b/evil.example",
    "/\ufeff/evil.example",
    "/%e2%80%a8/evil.example",
    "/%00/evil.example",
    "/\x7f/evil.example",
    "/%7f/evil.example",
    "/%",
    "/%zz",
    "/%c0%af%c0%afevil.example",
    "/%ef%bc%8fevil.example",
    "/app/../auth/logout",
    "/auth/logout",
    "/auth%2flogout",
    "/%61uth/logout",
    "/auth/login?next=/auth/login",
    "/_stcore/stream",
    "/%5fstcore/health",
    "/media/x.html",
    "/app/auth/logout",
    "/app/%61uth/logout",
    "/app/_stcore/health",
    "/app/media/x",
    "/app",
    "/app/",
    "/app/..",
    "/app/../x",
    "/app/%2e%2e/x",
    "/app/.%2e/x",
    "/app/%252e%252e/x",
    "/app/..;/x",
    "/app/%2e%2e;/x",
    "/app\\..\\x",
    "/application",
    "/app?x=//evil.example",
    "/app/?next=https://evil.example",
    "/app/x#//evil.example",
    "/app/#access_token=x",
    "[::1]",
    "//[::1]",
    "//[",
    "/[",
    "",
    "/",
]
PIECES = [
    "/",
    "//",
    "\\",
    "%2f",
    "%5c",
    "%252f",
    "..",
    ".",
    "%2e",
    "..;",
    ";",
    "@",
    ":",
    "?",
    "#",
    "\t",
    "\n",
    "%09",
    "%00",
    "app",
    "auth",
    "x",
]


def generated() -> list[str]:
    """Over 10 000 paths: all short ones of the pieces that have fooled others, alone and before a host."""
    short = ["".join(parts) for n in (1, 2, 3) for parts in itertools.product(PIECES, repeat=n)]
    return [*HOSTILE, *short, *(f"/{text}evil.example" for text in short), *(f"/app/{text}/evil.example" for text in short[::3])]


def led(paths: list[str], base: str) -> list[list[str]]:
    """Where a browser goes by each of the paths: (origin, path)."""
    node = shutil.which("node") or pytest.fail("node is missing: it is the browser's URL parser here")
    asked = json.dumps({"base": base, "paths": paths})
    done = subprocess.run(
        [node, Path(__file__).with_name("whatwg.mjs")], input=asked, capture_output=True, text=True, timeout=30, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("base", ["", "/app"])
def test_a23_whatever_return_path_lets_through_stays_on_our_origin_below_the_base_path(base):
    tried = generated()
    assert len(tried) > 10_000
    accepted = [return_path(text, base) for text in tried]

    for text, path, (origin, local) in zip(tried, accepted, led(accepted, f"{ORIGIN}{base}/auth/ended"), strict=True):
        assert origin == ORIGIN, (text, path)
        assert local == base or local.startswith(f"{base}/"), (text, path)
        below = unquote(unquote(local.removeprefix(base)))
        assert not below.startswith(("/auth/", "/_stcore/", "/media/", "//")), (text, path)


@pytest.mark.parametrize(
    "text", [t for t in HOSTILE if t.startswith(("//", "/\\", "\\", "http", "/%2f", "/%5c", "java", "data", "\t", " "))]
)
def test_a23_an_address_elsewhere_becomes_the_start_page(text):
    assert return_path(text, "") == "/"
    assert return_path(text, "/app") == "/app/"


@pytest.mark.parametrize("own", ["/auth/logout", "/auth%2flogout", "/%61uth/logout", "/_stcore/stream", "/media/x.html"])
def test_a23_pages_of_ours_and_of_the_server_are_no_place_to_come_back_to(own):
    assert return_path(own, "") == "/"


@given(text=some.text(max_size=80), base=some.sampled_from(["", "/app", "/a/b"]))
@example(text="/\ud800", base="")
@settings(max_examples=200)
def test_a23_no_text_at_all_gets_anything_but_a_plain_path(text, base):
    path = return_path(text, base)

    assert path.isascii() and path.isprintable() and " " not in path and "\\" not in path.partition("?")[0]
    assert path == base or path.startswith((f"{base}/", f"{base}?"))
    assert not path.startswith("//")


@given(path=some.from_regex(r"\A/[a-z0-9_\-]{1,20}\Z"), query=some.from_regex(r"\A[a-z0-9=&%._\-]{0,30}\Z"))
def test_an_honest_path_comes_back_as_it_went(path, query):
    text = f"{path}?{query}" if query else path

    assert return_path(text, "") == text
    assert return_path(f"/app{text}", "/app") == f"/app{text}"


def test_a_page_with_other_letters_in_its_name_is_come_back_to():
    assert unquote(return_path("/Übersicht?region=Köln", "")) == "/Übersicht?region=Köln"
    assert return_path(quote("/Übersicht"), "") == quote("/Übersicht")


def test_a_fragment_is_dropped_and_a_path_over_two_thousand_characters_too():
    assert return_path("/sales#access_token=x", "") == "/sales"
    assert return_path("/" + "x" * 1999, "") == "/" + "x" * 1999
    assert return_path("/" + "x" * 2000, "") == "/"
    assert return_path("/" + "ü" * 500, "") == "/"
    assert return_path(None, "/app") == "/app/"


@pytest.mark.parametrize("base", ["", "/app"])
def test_the_base_path_itself_is_a_page(base):
    assert return_path(f"{base}?x=1" if base else "/?x=1", base) == (f"{base}?x=1" if base else "/?x=1")
    assert return_path("/application", "/app") == "/app/"


# -- Host ----------------------------------------------------------------------------------------------------------------------


def config(redirect_uri):
    auth = {"redirect_uri": redirect_uri, "cookie_secret": SECRET, "client_id": "x", "client_secret": "x"}
    auth["server_metadata_url"] = "https://issuer.example/.well-known/openid-configuration"
    return parse({"auth": auth, "st_auth": {"store": "memory://"}}, Host(port=8501), env={})


PUBLIC = config("https://sales.acme.com/oauth2callback")
LOOPBACK = config("http://localhost:8501/oauth2callback")


@pytest.mark.parametrize("host", [b"sales.acme.com", b"sales.acme.com:443", b"SALES.acme.com", b"sales.acme.com."])
def test_the_own_host_is_ok(host):
    assert host_answer(host, PUBLIC) == "ok"


@pytest.mark.parametrize(
    "host",
    [
        *(None, b"", b"evil.example", b"sales.acme.com.evil.example", b"sales.acme.com:444", b"sales.acme.com:0", b"sales.acme.com:99999"),
        *(
            b"sales.acme.com@evil.example",
            b"x@sales.acme.com",
            b"sales.acme.com/x",
            b"sales.acme.com?",
            b"sales.acme.com#",
            b"sales.acme.com/",
        ),
        *(b"sales.acme.com\\", b" sales.acme.com", b"sales.acme.com\t", b"sales\n.acme.com", b"sales.acme.com:", b"sales.acme.com:4x"),
        *(b"[sales.acme.com]", b"[", b"\xff", b"localhost", b"127.0.0.1", "sales.acme.com\uff0c".encode()),
    ],
)
def test_any_other_host_is_wrong(host):
    assert host_answer(host, PUBLIC) == "wrong"


@pytest.mark.parametrize("host", [b"127.0.0.1:8501", b"[::1]:8501", b"127.8.9.1:8501", b"app.localhost:8501", b"[::ffff:127.0.0.1]:8501"])
def test_another_name_of_this_machine_is_an_alias(host):
    assert host_answer(host, LOOPBACK) == "alias"
    assert host_answer(b"localhost:8501", LOOPBACK) == "ok"


@pytest.mark.parametrize(
    "host", [b"127.0.0.1:8502", b"127.0.0.1", b"10.0.0.1:8501", b"localhost.evil.example:8501", b"127.0.0.1.nip.io:8501"]
)
def test_a_rebound_name_or_another_port_is_no_alias(host):
    assert host_answer(host, LOOPBACK) == "wrong"


@given(some.binary(max_size=40))
@settings(max_examples=150)
def test_no_host_header_but_our_own_is_ok(host):
    assert host_answer(host, PUBLIC) == "wrong" or host.decode().rstrip(".").lower() in ("sales.acme.com", "sales.acme.com:443")


# -- Origin --------------------------------------------------------------------------------------------------------------------


def test_only_the_very_origin_is_ours_and_fetch_metadata_must_agree():
    assert is_own_origin({b"origin": b"https://sales.acme.com"}, ORIGIN)
    assert is_own_origin({b"origin": b"https://sales.acme.com", b"sec-fetch-site": b"same-origin"}, ORIGIN)
    assert not is_own_origin({}, ORIGIN)
    assert not is_own_origin({b"origin": b"null"}, ORIGIN)
    assert not is_own_origin({b"origin": b"https://sales.acme.com:444"}, ORIGIN)
    assert not is_own_origin({b"origin": b"https://evil.sales.acme.com"}, ORIGIN)
    assert not is_own_origin({b"origin": b"https://sales.acme.com", b"sec-fetch-site": b"same-site"}, ORIGIN)
    assert not is_own_origin({b"origin": b"https://sales.acme.com", b"sec-fetch-site": b"cross-site"}, ORIGIN)


def test_origin_and_path_of_an_address():
    assert origin_of("https://acme.okta.com/logout?x=1") == "https://acme.okta.com"
    assert path_of("https://sales.acme.com/a/b?x=1#y") == "/a/b?x=1"
    assert path_of("https://sales.acme.com/a") == "/a"
    assert path_of("http://[") == ""


# -- the client's address ------------------------------------------------------------------------------------------------------

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "127.0.0.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", " ,, 198.51.100.1 ,", "198.51.100.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_only_what_a_trusted_proxy_adds_is_believed(peer, forwarded, address):
    assert client_address(peer, {b"x-forwarded-for": forwarded.encode()}, PROXIES) == address


def test_without_trusted_proxies_the_header_means_nothing():
    assert client_address("10.0.0.1", {b"x-forwarded-for": b"198.51.100.1"}, ()) == "10.0.0.1"
    assert not is_trusted("not an address", PROXIES)


@given(peer=some.ip_addresses().map(str), forwarded=some.binary(max_size=200))
def test_a_stranger_never_says_who_they_are_and_no_header_breaks_anything(peer, forwarded):
    address = client_address(peer, {b"x-forwarded-for": forwarded}, PROXIES)

    assert len(address) <= 64
    assert is_trusted(peer, PROXIES) or address == peer
