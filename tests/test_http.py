"""The sockets to providers: bounded in time and size, and silent about secrets."""

import gzip
import json
import logging
import socket
import threading
import zlib

import httpx2
import pytest
from hypothesis import given, strategies as st

from st_auth.errors import ProviderError, StAuthError, Unavailable
from st_auth.http import Http
from st_auth.secret import Secret
from tests.oauth.given import Hands

URL = "https://issuer.example/x"


def an_http(answer, **settings):
    """An Http whose every request is answered by `answer`: a response, an exception, or a callable."""

    def handle(request):
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    return Http(httpx2.MockTransport(handle), **settings)


def a_json(text='{"a": 1}', status=200, **headers):
    body = text.encode() if isinstance(text, str) else text
    return httpx2.Response(status, headers={"Content-Type": "application/json", **headers}, stream=httpx2.ByteStream(body))


def test_a_json_object_is_returned():
    assert an_http(a_json()).get_json(URL) == {"a": 1}


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "application/jwk-set+json", "text/plain", ""])
def test_x14_json_is_json_whatever_it_is_called(media_type):
    assert an_http(httpx2.Response(200, headers={"Content-Type": media_type}, text="{}")).get_json(URL) == {}


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a": 1, "a": 2}', '{"a": NaN}', b"\xff", '{"a": 1e999}', "<html>"])
def test_x14_x05_a_body_that_is_no_strict_object_is_the_providers_error(text):
    with pytest.raises(ProviderError) as caught:
        an_http(a_json(text)).get_json(URL)

    assert (caught.value.code, caught.value.parameter) == ("protocol_violation", "body")
    assert caught.value.__cause__ is None


def test_a_json_list_is_returned():
    assert an_http(a_json('[{"a": 1}, 2]')).get_list(URL, bearer=Secret("t")) == [{"a": 1}, 2]


@pytest.mark.parametrize("text", ["", "[", "{}", '[{"a": 1, "a": 2}]', "[NaN]", b"\xff", "<html>"])
def test_x14_x05_a_body_that_is_no_strict_list_is_the_providers_error(text):
    with pytest.raises(ProviderError) as caught:
        an_http(a_json(text)).get_list(URL, bearer=Secret("t"))

    assert (caught.value.code, caught.value.parameter) == ("protocol_violation", "body")
    assert caught.value.__cause__ is None


def test_x24_x14_a_page_is_no_list_even_if_it_parses():
    with pytest.raises(ProviderError, match="not a page"):
        an_http(httpx2.Response(200, html="[]")).get_list(URL, bearer=Secret("t"))


def test_x24_x14_a_page_with_status_200_is_refused_even_if_it_parses():
    with pytest.raises(ProviderError, match="not a page"):
        an_http(httpx2.Response(200, html="{}")).get_json(URL)


@pytest.mark.parametrize("status", [500, 502, 503, 599, 429])
def test_x14_what_may_pass_is_unavailable(status):
    for call in (lambda http: http.get_json(URL), lambda http: http.post_form(URL, {})):
        with pytest.raises(Unavailable) as caught:
            call(an_http(lambda _: a_json(status=status)))

        assert caught.value.code == "provider"


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("100000", 300.0), ("soon", 5.0), ("Sun, 22 Nov 2026 08:00:00 GMT", 5.0), ("٣", 5.0)]
)
def test_retry_after_is_read_in_seconds_and_never_for_long(header, seconds):
    response = httpx2.Response(503, headers=[(b"Retry-After", header.encode())])

    with pytest.raises(Unavailable) as caught:
        an_http(response).get_json(URL)

    assert caught.value.retry_after == seconds


@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 400, 401, 404])
def test_other_states_of_a_page_are_the_providers_error(status):
    with pytest.raises(ProviderError, match=str(status)):
        an_http(a_json(status=status)).get_json(URL)


@pytest.mark.parametrize("status", [201, 302, 307, 308])
def test_x23_a_redirect_of_the_token_endpoint_is_not_followed(status):
    asked = []

    def handle(request):
        asked.append(str(request.url))
        return httpx2.Response(status, headers={"Location": "https://evil.example/"})

    with pytest.raises(ProviderError):
        an_http(handle).post_form(URL, {"code": "c0de"})

    assert asked == [URL]


@pytest.mark.parametrize("status", [200, 400, 401, 403])
def test_a_form_is_answered_with_its_status(status):
    answer = an_http(a_json('{"error": "x"}', status)).post_form(URL, {"a": "b"})

    assert (answer.status, dict(answer.json)) == (status, {"error": "x"})


def test_a_form_is_sent_encoded_with_its_headers():
    seen = []
    http = an_http(lambda request: seen.append(request) or a_json())

    http.post_form(URL, [("a", "ü +&="), ("b", "")], headers={"Authorization": Secret("Basic eHg=")})

    assert seen[0].content == b"a=%C3%BC+%2B%26%3D&b="
    assert seen[0].headers["Authorization"] == "Basic eHg="
    assert seen[0].headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_rp35_bcp10_a_bearer_token_goes_into_the_header_only():
    seen = []

    an_http(lambda request: seen.append(request) or a_json()).get_json(URL, bearer=Secret("t0ken"))

    assert seen[0].headers["Authorization"] == "Bearer t0ken"
    assert "t0ken" not in str(seen[0].url)


def test_cookies_are_not_kept():
    seen = []
    http = an_http(lambda request: seen.append(request) or a_json(**{"Set-Cookie": "a=b"}))

    http.get_json(URL)
    http.get_json(URL)

    assert "Cookie" not in seen[1].headers


@pytest.mark.parametrize(
    "error",
    [
        httpx2.ConnectError("https://a/?code=c0de"),
        httpx2.ReadTimeout("c0de"),
        httpx2.ConnectTimeout("c0de"),
        httpx2.RemoteProtocolError("c0de"),
        httpx2.PoolTimeout("c0de"),
    ],
)
def test_x14_transport_errors_are_unavailable_and_show_nothing(error):
    with pytest.raises(Unavailable) as caught:
        an_http(error).post_form(URL, {"code": "c0de"})

    assert "c0de" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_url_that_cannot_be_used_is_the_providers_error():
    with pytest.raises(StAuthError):
        an_http(a_json()).get_json("https://a\x00.example/")


def test_x11_x14_a_body_that_is_too_long_is_cut():
    with pytest.raises(ProviderError, match="at most 1048576 bytes"):
        an_http(a_json('{"a": "' + "x" * 20_000_000 + '"}')).get_json(URL)
    with pytest.raises(ProviderError, match="at most 10 bytes"):
        an_http(a_json('{"a": "12345678"}'), size_limit=10).get_json(URL)


def test_x11_a_gzip_bomb_is_cut_by_its_decoded_size():
    body = gzip.compress(b" " * 50_000_000)

    with pytest.raises(ProviderError, match="at most"):
        an_http(a_json(body, **{"Content-Encoding": "gzip"})).get_json(URL)


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b"{}", mtime=0)[:-9] + b"xxxxxxxxx", zlib.compress(b"{}")])
def test_a_body_that_does_not_unpack_is_the_providers_error(body):
    with pytest.raises(ProviderError):
        an_http(a_json(body, **{"Content-Encoding": "gzip"})).get_json(URL)


def test_x14_a_body_that_drips_is_given_up_after_15_seconds():
    hands = Hands()

    class Dripping(httpx2.SyncByteStream):
        def __iter__(self):
            for _ in range(100):
                hands.advance(1)
                yield b" "

    with pytest.raises(Unavailable):
        an_http(lambda _: httpx2.Response(200, stream=Dripping()), clock=hands.clock()).get_json(URL)

    assert hands.seconds == 1016


def test_x14_a_truncated_answer_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer_half, args=(server,), daemon=True).start()
        http = Http()

        with pytest.raises(Unavailable):
            http.get_json(f"http://127.0.0.1:{server.getsockname()[1]}/")
        http.close()


def answer_half(server):
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


def test_nobody_there_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    http = Http()

    with pytest.raises(Unavailable):
        http.get_json(f"http://127.0.0.1:{port}/")
    http.close()


def test_what_is_logged_names_no_secret(caplog):
    caplog.set_level(logging.DEBUG)

    an_http(a_json()).post_form(URL, {"code": "c0de"}, headers={"Authorization": Secret("Basic s3cret")})

    assert "c0de" not in caplog.text
    assert "s3cret" not in caplog.text


@given(st.binary(), st.sampled_from(["", "application/json", "text/html", "gzip"]), st.integers(200, 599))
def test_no_answer_raises_anything_but_our_errors(body, media_type, status):
    headers = {"Content-Type": media_type, **({"Content-Encoding": "gzip"} if media_type == "gzip" else {})}
    for call in (lambda http: http.get_json(URL), lambda http: http.post_form(URL, {})):
        try:
            call(an_http(lambda _: httpx2.Response(status, headers=headers, stream=httpx2.ByteStream(body))))
        except (ProviderError, Unavailable) as error:
            assert error.code


@pytest.mark.parametrize("echo", ["the-code-itself", "the-verifier", "dXM6czNjcmV0K3NlY3JldA==", "s3cret secret"])
def test_a31_a_description_that_repeats_what_was_sent_is_withheld(echo):
    http = an_http(a_json(json.dumps({"error": "invalid_client", "error_description": f"you said {echo}!"}), 400))
    headers = {"Authorization": Secret("Basic dXM6czNjcmV0K3NlY3JldA==")}

    answer = http.post_form(URL, {"code": "the-code-itself", "code_verifier": "the-verifier"}, headers=headers)

    assert answer.json["error"] == "invalid_client"
    assert echo not in answer.json["error_description"]


def test_a_description_of_the_providers_own_is_passed_on():
    http = an_http(a_json('{"error": "invalid_client", "error_description": "client_secret is wrong"}', 401))

    assert (
        http.post_form(URL, {"a": "b"}, headers={"Authorization": Secret("Basic %%%")}).json["error_description"]
        == "client_secret is wrong"
    )
