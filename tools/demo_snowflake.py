"""The dashboard with a Snowflake page, for a machine without Snowflake: `make demo-snowflake`.

Three servers on this machine stand for what a company has. A provider asks who logs in, and issues access tokens for `urn:snowflake`.
fakesnow answers SQL. The gateway in front of it verifies each token, as Snowflake's External OAuth does, and lets each person see the rows
of their region. What leads from the app to them is what leads to the real ones: sections in secrets.toml, and Snowflake's own driver.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Any

import httpx2

sys.path.insert(0, str(Path(__file__).parents[1]))

from st_auth.testing import FakeIssuer
from tests.servers import toml
from tests.servers.snowflake_server import AUDIENCE, SnowflakeServer

APP = Path(__file__).parents[1] / "examples" / "dashboard" / "with_snowflake.py"
PEOPLE: Mapping[str, Mapping[str, Any]] = {
    "ana": {"name": "Ana Analyst", "groups": ["analysts"], "roles": ["ANALYST"], "region": "eu"},
    "kim": {"name": "Kim Analyst", "groups": ["analysts"], "roles": ["ANALYST"], "region": "ap"},
    "ada": {"name": "Ada Admin", "groups": ["admins"], "roles": ["ADMIN"], "region": "all"},
}
WHERE = {"database": "SALES", "schema": "PUBLIC"}
SEES = {"ana": "the rows of Europe", "kim": "the rows of Asia Pacific", "ada": "all rows"}
PAGE = """<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Log in</title><style>
:root {{ color-scheme: light dark }} body {{ font: 16px/1.5 system-ui; margin: 0; display: grid; place-items: center; min-height: 100vh }}
main {{ width: min(24rem, 90vw) }} h1 {{ font-size: 1.5rem; margin: 0 }} p {{ margin: .25rem 0 1.5rem; opacity: .75 }}
a {{ display: block; padding: .75rem 1rem; margin: .5rem 0; border: 1px solid #8888; border-radius: .5rem }}
a {{ color: inherit; text-decoration: none }}
a:hover, a:focus {{ border-color: #5b6be8 }} small {{ display: block; opacity: .75 }}
</style><main><h1>Acme login</h1><p>This page stands for your company's login. Who are you?</p>{people}</main></html>"""


def chosen_at(issuer: FakeIssuer, request: httpx2.Request) -> httpx2.Response:
    """The provider's page: who is it? With `person` in the query somebody has said so."""
    person = request.url.params.get("person")
    if person in PEOPLE:
        there = issuer.authorize(str(request.url.copy_remove_param("person")), person)
        return httpx2.Response(302, headers={"Location": there})
    links = [
        f'<a href="{escape(str(request.url.copy_set_param("person", one)))}">{escape(claims["name"])}<small>sees {SEES[one]}</small></a>'
        for one, claims in PEOPLE.items()
    ]
    return httpx2.Response(200, html=PAGE.format(people="".join(links)))


def fill(issuer: FakeIssuer, snowflake: SnowflakeServer) -> None:
    """Put sample orders there, as somebody who may."""
    import snowflake.connector as driver

    chance = random.Random(2026)
    rows = [(region, chance.randrange(20, 1000)) for region in ("am", "ap", "eu") for _ in range(40)]
    token = issuer.sign({"iss": issuer.issuer, "aud": AUDIENCE, "sub": "loader", "roles": ["LOADER"], "exp": int(time.time()) + 300})
    there = {"host": "127.0.0.1", "port": snowflake.port, "protocol": "http", "account": "acme", **WHERE}
    quiet = {"enable_server_session_keep_alive_auto_detection": False, "client_store_temporary_credential": False}
    with driver.connect(authenticator="oauth", token=token, **there, **quiet) as connection, connection.cursor() as cursor:
        cursor.execute("create or replace table orders (region text, amount int)")
        cursor.execute(f"insert into orders values {', '.join(str(row) for row in rows)}")


def secrets_of(issuer: FakeIssuer, snowflake: SnowflakeServer) -> dict[str, Any]:
    """The secrets.toml of the demo."""
    auth = {"redirect_uri": "http://localhost:{port}/oauth2callback", "cookie_secret": os.urandom(32).hex()}
    warehouse = snowflake.section(**WHERE, token_from="acme")
    sales = {"type": "st_auth.DuckDBConnection", "path": ".streamlit/st_auth/sales.duckdb", "default": True}
    return {
        "auth": {**auth, "acme": {**issuer.section(), "label": "Acme login"}},
        "st_auth": {"allow": "anyone", "store": "memory://"},
        "connections": {"warehouse": warehouse, "sales": sales},
    }


def main(arguments: list[str]) -> int:
    """Start the servers and the app; end them when the app has ended, or at Ctrl+C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), tempfile.TemporaryDirectory() as name, FakeIssuer(people=PEOPLE, audience=AUDIENCE) as issuer:
        issuer.answers["/authorize"] = lambda request: chosen_at(issuer, request)
        folder = Path(name)
        with SnowflakeServer(folder, issuer=issuer.issuer, jwks_uri=f"{issuer.issuer}/jwks") as snowflake:
            fill(issuer, snowflake)
            secrets = folder / "secrets.toml"
            secrets.write_text(toml.dumps(secrets_of(issuer, snowflake)), "utf-8")
            return run([sys.executable, "-m", "st_auth", "run", str(APP), "--secrets.files", str(secrets), *arguments])
    return 0


def run(command: list[str]) -> int:
    """Run the app in a session of its own: Ctrl+C reaches us, and what we pass on ends it in order."""
    app = subprocess.Popen(command, start_new_session=True)
    try:
        return app.wait()
    except KeyboardInterrupt:
        app.send_signal(signal.SIGINT)
        app.wait()
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
