"""Which grants there is code for: a look through the sources, so that no other one comes in unseen."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "st_auth"
NOT_OAUTH = {"testing", "connections"}  # a database may well be opened with a password
OF_DATABASES = {"connection_config.py", "connection_kinds.py", "mongo_url.py", "connect.py"}
SOURCES = [p for p in PACKAGE.rglob("*.py") if not NOT_OAUTH & {*p.relative_to(PACKAGE).parts} and p.name not in OF_DATABASES]
# Token exchange (RFC 8693) would be fine, and device codes would not: they let somebody else's browser finish a login.
GRANTS = {"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"}


def said_of(name: str) -> Iterator[str]:
    """Every text that stands behind `name` in a table, a pair, a keyword or a default."""
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            pairs: list[tuple[ast.expr | None, ast.expr]] = []
            if isinstance(node, ast.Dict):
                pairs = list(zip(node.keys, node.values, strict=True))
            elif isinstance(node, ast.Tuple | ast.List) and len(node.elts) == 2:
                pairs = [(node.elts[0], node.elts[1])]
            elif isinstance(node, ast.keyword) and node.arg == name:
                pairs = [(ast.Constant(name), node.value)]
            yield from (v.value for k, v in pairs if isinstance(k, ast.Constant) and k.value == name and isinstance(v, ast.Constant))


def test_bcp09_bba01_no_line_of_ours_asks_with_a_password_or_for_a_token_in_the_address_bar():
    assert "authorization_code" in set(said_of("grant_type"))
    assert set(said_of("grant_type")) <= GRANTS
    assert set(said_of("response_type")) == {"code"}


@pytest.mark.parametrize("word", ["password", "implicit", "id_token token", "code token", "code id_token", "form_post", "fragment"])
def test_bcp09_the_words_of_the_other_flows_stand_nowhere(word):
    constants = {
        node.value
        for source in SOURCES
        for node in ast.walk(ast.parse(source.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }

    assert word not in constants
