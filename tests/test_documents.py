"""README and docs cannot fall behind: every block is tried, every key, code and command is named, every link leads somewhere."""

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from st_auth import cli
from st_auth.config import Host, parse
from st_auth.rules_config import read_rules

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "examples" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"(?P<mark><!--[^>]*-->\s*\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """One fenced block: `mark` is an HTML comment right before it, such as `<!-- partial -->`."""

    page: Path
    line: int
    kind: str
    text: str
    mark: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(kind: str) -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text("utf-8")
        for found in _BLOCK.finditer(text):
            if found["kind"] == kind:
                yield Block(page, text.count("\n", 0, found.start("text")), kind, found["text"], found["mark"] or "")


def docs() -> str:
    return "\n".join(page.read_text("utf-8") for page in PAGES if page.parent.name == "docs")


@pytest.mark.parametrize("block", list(blocks("python")), ids=str)
def test_every_python_block_compiles(block):
    compile(block.text, str(block), "exec")


@pytest.mark.parametrize("block", list(blocks("toml")), ids=str)
def test_every_toml_block_is_one_that_the_app_would_start_with(block, tmp_path):
    content = tomllib.loads(block.text)

    if not content.keys() & {"auth", "st_auth"} or "partial" in block.mark:
        return
    for name in re.findall(r'^personas\s*=\s*"([^"]+)"', block.text, re.MULTILINE):
        (tmp_path / name).write_text('[[persona]]\nsub = "x"\n')
    for name in re.findall(r'^profile\s*=\s*"\./([^"]+)"', block.text, re.MULTILINE):
        (shown,) = (b.text for b in blocks("toml") if b.page == block.page and b.text.startswith(f"# .streamlit/{name}\n"))
        (tmp_path / ".streamlit").mkdir()
        (tmp_path / ".streamlit" / name).write_text(shown, "utf-8")
    whole = {"auth": {"redirect_uri": "https://sales.acme.com/oauth2callback", "cookie_secret": "x" * 32, **_CLIENT}} | content
    whole["auth"] = _made_whole(whole["auth"])

    assert parse(whole, Host(port=8501, folder=tmp_path), env={}).providers


def test_every_block_of_rules_is_one_that_the_app_would_start_with(tmp_path):
    shown = [block for block in blocks("toml") if block.text.startswith("# .streamlit/rules.toml")]
    for block in shown:
        problems = []
        (tmp_path / "rules.toml").write_text(block.text, "utf-8")
        file = read_rules(tmp_path / "rules.toml", problems)
        assert file.roles.grants or file.rules.tables
        assert problems == []
    assert shown


_CLIENT = {"client_id": "x", "client_secret": "x", "server_metadata_url": "https://issuer.example/.well-known/openid-configuration"}


def _made_whole(auth):
    """A secret that is only described in the block gets a value; everything else must stand there."""
    secret = auth.get("cookie_secret")
    return {**auth, "cookie_secret": f"{secret} ".ljust(32, ".")} if secret else auth


def test_the_blocks_are_found():
    assert len(list(blocks("python"))) >= 3
    assert len(list(blocks("toml"))) >= 5


def keys_of_the_reader() -> set[str]:
    """The keys that st_auth.config asks a Reader for."""
    tree = ast.parse((ROOT / "st_auth" / "config.py").read_text("utf-8"))
    return {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "reader"
        and node.func.attr in ("value", "text", "flag", "whole", "choice", "texts", "paths", "span", "networks")
        and isinstance(node.args[0], ast.Constant)
    }


def test_every_key_of_the_configuration_is_documented():
    keys = keys_of_the_reader()
    assert {"allow", "idle_timeout", "store", "keys", "trusted_proxies", "freeze_heap"} <= keys

    text = docs()
    known = keys | {"redirect_uri", "cookie_secret", "expose_tokens", "personas", "email_domain", "email", "groups", "claim", "profile"}

    assert sorted(key for key in known if f"`{key}`" not in text) == []


def test_every_environment_variable_is_documented():
    source = "".join(path.read_text("utf-8") for path in (ROOT / "st_auth").rglob("*.py"))

    assert [name for name in sorted(set(re.findall(r"ST_AUTH_[A-Z_]+", source))) if name not in docs()] == []


def codes() -> set[str]:
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "st_auth").rglob("*.py"))
    return set(re.findall(r'\bcode(?:: str)? ?= ?"([a-z_]+)"', source))


def test_every_error_code_is_documented():
    assert {"no_session", "not_allowed", "store", "protocol_violation"} <= codes()

    assert sorted(code for code in codes() if f"`{code}`" not in docs()) == []


def commands() -> list[str]:
    found = []
    for name, command in cli._commands.commands.items():
        below = getattr(command, "commands", None)
        found += [f"st-auth {name} {inner}" for inner in below] if below else [f"st-auth {name}"]
    return found


def test_every_command_is_documented():
    assert "st-auth run" in commands()

    assert [command for command in commands() if command not in docs()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_of_ours_leads_to_one(page):
    links = [link.partition("#")[0] for link in _LINK.findall(page.read_text("utf-8"))]
    ours = [link for link in links if link and not re.match(r"[a-z]+:", link)]

    assert [link for link in ours if not (page.parent / link).exists()] == []


def test_every_profile_is_documented():
    profiles = [path.stem for path in (ROOT / "providers").glob("*.toml")]

    assert sorted(name for name in profiles if f"`{name}`" not in docs()) == []


def test_each_promise_of_the_security_page_names_tests_that_exist():
    table = (ROOT / "SECURITY.md").read_text("utf-8").split("| promise | tests |", 1)[1].split("\n\n", 1)[0]
    rows = [row for row in table.splitlines() if row.startswith("| ") and "---" not in row]

    named = [re.findall(r"`(tests/[\w/]+\.py)`", row) for row in rows]

    assert len(rows) > 15
    assert all(named), "a promise without a test"
    assert [path for paths in named for path in paths if not (ROOT / path).is_file()] == []
