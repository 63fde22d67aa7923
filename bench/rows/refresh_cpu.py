"""`refresh_cpu`: what one refresh costs us beyond the bare request that it cannot do without."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from urllib.parse import urlsplit

import httpx2

from bench.ground import Ground, in_fresh_process
from bench.result import Note, Row, absolute

_BATCHES, _ROUNDS = 8, 40
_CALLBACK = "http://localhost:8501/oauth2callback"


def refresh_cpu(_: Ground) -> list[Row | Note]:
    """CPU of `Grants.tokens` with a token that must be renewed, less that of its two requests by bare httpx2: the POST of the refresh
    and the GET of userinfo. Medians of 40 turns, of the quietest of 8 batches: the bar is in milliseconds, and a neighbour of the machine
    makes every millisecond longer; the note has the median batch too.

    In ours are: reading and sealing the session (SQLite), the claim before and the write after, judging the answer, and the signature
    of the new ID token. The provider is another process.
    """
    batches = sorted(in_fresh_process("bench.rows.refresh_cpu"), key=_beyond)
    (ours, post, get), usual = batches[0], _beyond(batches[len(batches) // 2])
    said = f"one refresh {ours:.2f} ms, a bare POST {post:.2f} ms, a bare GET of userinfo {get:.2f} ms; in the median batch {usual:.2f} ms"
    return [absolute("refresh_cpu", _beyond(batches[0]), "ms CPU", "≤ 2 ms"), Note(f"refresh_cpu: {said}")]


def _beyond(batch: list[float]) -> float:
    ours, post, get = batch
    return ours - post - get


@contextmanager
def _provider() -> Iterator[str]:
    """A provider in a process of its own; yields its issuer."""
    command = [sys.executable, "-m", "bench.rows.refresh_cpu", "provider"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("the provider has no pipes")
        yield process.stdout.readline().strip()
        process.stdin.close()


def _serve() -> None:
    """Be the provider until standard input ends; each access token counts as old at once."""
    from st_auth.testing import FakeIssuer

    with FakeIssuer(lifetime=1) as issuer:
        print(issuer.issuer, flush=True)
        sys.stdin.read()


def _measure(issuer: str, folder: str) -> list[list[float]]:
    from st_auth.client import Client
    from st_auth.clock import Clock
    from st_auth.config import Allow
    from st_auth.grants import Grants
    from st_auth.http import Http
    from st_auth.keyring import Keyring
    from st_auth.live import Live
    from st_auth.oauth.profile import resolve
    from st_auth.secret import Secret
    from st_auth.sessions import Limits, Sessions
    from st_auth.stores.sqlite import SqliteStore
    from st_auth.vault import Vault

    section = {"client_id": "app", "client_secret": "s3cret/+ %&é", "server_metadata_url": f"{issuer}/.well-known/openid-configuration"}
    client = Client(resolve("default", section, file="bench"), Http())
    url, pending = client.begin(_CALLBACK, "/")
    back = httpx2.get(url, follow_redirects=False).headers["Location"]
    login = client.finish(pending, urlsplit(back).query)
    store = SqliteStore(f"{folder}/vault.db")
    sessions, limits = Sessions(Vault(Keyring.from_secret(Secret("s" * 32)), store), Limits()), Limits()
    live = Live(limits, Clock())
    grants = Grants(sessions, live, {"default": client}, Allow())
    session = live.adopt(sessions.begin(login)[1])
    seen = grants.tokens(session)

    def ours() -> None:
        nonlocal seen
        before, seen = seen, grants.tokens(session, refused=seen.access_token)
        if before.access_token == seen.access_token:
            raise AssertionError("the token was not renewed")

    acts = (ours, *_bare(client, issuer))
    figures = [_by_turns(*acts) for _ in range(_BATCHES)]
    grants.close()
    store.close()
    return figures


def _bare(client, issuer: str) -> tuple[Callable[[], None], Callable[[], None]]:
    """A POST of a refresh and a GET of userinfo by httpx2 alone, for a login of their own."""
    http = httpx2.Client(auth=("app", "s3cret%2F%2B+%25%26%C3%A9"))
    url, pending = client.begin(_CALLBACK, "/")
    held = client.finish(pending, urlsplit(httpx2.get(url, follow_redirects=False).headers["Location"]).query).tokens
    kept = {"refresh": held.refresh_token.reveal(), "access": held.access_token.reveal()}

    def post() -> None:
        answer = http.post(f"{issuer}/token", data={"grant_type": "refresh_token", "refresh_token": kept["refresh"]}).json()
        kept.update(refresh=answer["refresh_token"], access=answer["access_token"])

    plain = httpx2.Client()

    def get() -> None:
        plain.get(f"{issuer}/userinfo", headers={"Authorization": f"Bearer {kept['access']}"}).raise_for_status().json()

    return post, get


def _by_turns(*acts: Callable[[], None]) -> list[float]:
    """Milliseconds of CPU of each act, the median of turns."""
    kept: list[list[float]] = [[] for _ in acts]
    for _ in range(_ROUNDS):
        for figures, act in zip(kept, acts, strict=True):
            began = time.process_time_ns()
            act()
            figures.append((time.process_time_ns() - began) / 1e6)
    return [median(figures) for figures in kept]


ROWS = {"refresh_cpu": refresh_cpu}

if __name__ == "__main__":
    import json
    import tempfile

    if sys.argv[1:] == ["provider"]:
        _serve()
    else:
        with _provider() as where, tempfile.TemporaryDirectory() as folder:
            print(json.dumps(_measure(where, folder)))
