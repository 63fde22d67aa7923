"""`connect_warm` and `connect_first`: what a person's connection costs beyond the driver's own."""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.ground import Ground, in_fresh_process
from bench.result import Note, Row, absolute, against_peer

_BATCHES, _CALLS, _TURNS = 15, 2000, 25


def connect_warm(_: Ground) -> list[Row | Note]:
    """Thread CPU of `user.connection(name)` when the connection is open: the median of batches."""
    return [absolute("connect_warm", in_fresh_process("bench.rows.connections", "warm"), "µs", "≤ 5 µs")]


def connect_first(_: Ground) -> list[Row | Note]:
    """Wall time of connecting to Snowflake and the first query, over our handle against the bare driver; by turns, medians.

    The real driver, over HTTP, to the gateway of the tests. Wall time, as most of it is the server's and the network's.
    """
    ours, bare = in_fresh_process("bench.rows.connections", "first")
    return [against_peer("connect_first", ours, bare, "ms", "≤ 1.1")]


def _warm() -> float:
    import duckdb

    from st_auth.app.place import PLACE
    from st_auth.testing import FakeIssuer
    from st_auth.testing.connection_contract import ConnectionGround
    from st_auth.user import User

    with FakeIssuer(serve=False) as issuer, tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/x.duckdb"
        duckdb.connect(path).close()
        ground = ConnectionGround(issuer, {"type": "st_auth.DuckDBConnection", "path": path, "rules": "engine"})
        live = ground.core.live.adopt(_a_session(ground))
        with ground.runs.of(live.login_id):
            ground.handle(live).query("select 1")
        user = User(live, PLACE, ground.core.grants, ground.core.pool)
        figures = []
        for _ in range(_BATCHES):
            began = time.thread_time_ns()
            for _ in range(_CALLS):
                user.connection("it")
            figures.append((time.thread_time_ns() - began) / _CALLS / 1000)
        ground.close()
    return median(figures)


def _a_session(ground):
    from st_auth.testing import Somebody

    return ground.core.sessions.begin(Somebody())[1]


def _first() -> tuple[float, float]:
    import snowflake.connector

    from st_auth.testing import FakeIssuer
    from st_auth.testing.connection_contract import ConnectionGround
    from tests.servers.snowflake_server import AUDIENCE, SnowflakeServer

    with (
        FakeIssuer(serve=True, audience=AUDIENCE) as issuer,
        tempfile.TemporaryDirectory() as folder,
        SnowflakeServer(Path(folder), issuer=issuer.issuer, jwks_uri=f"{issuer.issuer}/jwks") as server,
    ):
        section = server.section()
        ground = ConnectionGround(issuer, section)
        logins = [ground.log_in("ana") for _ in range(_TURNS)]
        token = ground.core.grants.tokens(logins[0]).access_token.reveal()

        def ours() -> None:
            live = logins.pop()
            with ground.runs.of(live.login_id):
                ground.handle(live).query("select current_user() as me")

        def bare() -> None:
            there = {key: section[key] for key in ("account", "host", "port", "protocol")}
            options = {"client_store_temporary_credential": False, "enable_server_session_keep_alive_auto_detection": False}
            connection = snowflake.connector.connect(authenticator="oauth", token=token, **there, **options)
            connection.cursor().execute("select current_user() as me").fetch_pandas_all()
            kept.append(connection)

        kept: list[object] = []
        figures = _by_turns(ours, bare)
        ground.close()
        for connection in kept:
            connection.close()  # type: ignore[attr-defined]
    return figures


def _by_turns(*acts: Callable[[], None]) -> tuple[float, float]:
    """Milliseconds of each act, the median of turns; the first turn loads what is loaded once."""
    kept: list[list[float]] = [[] for _ in acts]
    for turn in range(_TURNS):
        for figures, act in zip(kept, acts, strict=True):
            began = time.perf_counter()
            act()
            if turn:
                figures.append((time.perf_counter() - began) * 1000)
    first, second = (median(figures) for figures in kept)
    return first, second


ROWS = {"connect_warm": connect_warm, "connect_first": connect_first}

if __name__ == "__main__":
    print(json.dumps({"warm": _warm, "first": _first}[sys.argv[1]]()))
