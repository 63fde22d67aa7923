"""rules.toml is read at the start, and everything that is wrong with it is told at once."""

import pytest

from st_auth.config import Host, parse
from st_auth.errors import ConfigError

SECRETS = {"auth": {"redirect_uri": "http://localhost:8501/oauth2callback", "cookie_secret": "s" * 32, "dev": {"profile": "dev"}}}
GOOD = """
[access]
claim = "realm_access.roles"

[roles]
analyst = ["sales:read"]
"head of sales" = ["sales:*", "people:read"]
admin = ["*"]
guest = []
"""


@pytest.fixture
def read(tmp_path):
    def parsed(text):
        folder = tmp_path / ".streamlit"
        folder.mkdir(exist_ok=True)
        if text is not None:
            (folder / "rules.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
        return parse(SECRETS, Host(port=8501, folder=tmp_path), env={}).roles

    return parsed


def test_roles_and_the_claim_that_holds_them(read):
    roles = read(GOOD)

    assert roles.claim == "realm_access.roles"
    assert list(roles.grants) == ["analyst", "head of sales", "admin", "guest"]
    assert roles.grants["head of sales"] == {"sales:*", "people:read"}


def test_the_claim_is_groups_where_nothing_is_said(read):
    assert read('[roles]\na = ["b"]').claim == "groups"


def test_without_a_file_there_are_no_roles(read):
    assert read(None) is None


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", ["roles"]),
        ("[roles", ["rules.toml"]),
        (b"\xff", ["rules.toml"]),
        ('[role]\na = ["b"]', ["role", "roles"]),
        ('[tables.sales]\nneeds = "b"\n[roles]\na = ["b"]', ["tables"]),
        ('[access]\nclaims = "groups"\n[roles]\na = ["b"]', ["access.claims"]),
        ('[access]\nclaim = ["groups"]\n[roles]\na = ["b"]', ["access.claim"]),
        ('[access]\nclaim = ""\n[roles]\na = ["b"]', ["access.claim"]),
        ('roles = ["a"]', ["roles", "roles"]),
        ('access = 1\n[roles]\na = ["b"]', ["access"]),
        ('[roles]\na = "sales:read"', ["roles.a"]),
        ("[roles]\na = [1]", ["roles.a"]),
        ("[roles.a]\nb = 1", ["roles.a"]),
        ('[roles]\na = ["sales read", "", "sales:", ":x", "sal*", "**"]', ["roles.a"] * 6),
    ],
)
def test_what_is_wrong_is_a_problem_that_names_the_file_and_says_the_mend(read, text, keys):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert [problem.key for problem in caught.value.problems] == keys
    assert {problem.file for problem in caught.value.problems} == {".streamlit/rules.toml"}
    assert all(problem.mend for problem in caught.value.problems)


def test_a_file_that_cannot_be_read_is_told_and_never_taken_for_none(tmp_path, read):
    (tmp_path / ".streamlit" / "rules.toml").mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be read"):
        read(None)


def test_a_word_that_was_nearly_right_is_proposed(read):
    with pytest.raises(ConfigError, match=r"did you mean \[roles\]\?"):
        read('[role]\na = ["b"]')
