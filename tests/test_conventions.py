"""DESIGN 3 as a test: who may import whom, where Streamlit may be named, how big things are, and a reason beside each exception."""

import ast
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "st_auth"
ANYTHING = {"*"}
EVERYONES = {"errors", "secret", "clock", "config", "audit"}

# A room is a module or a package directly under st_auth. What is not in the table may import what everyone may, and nothing else of ours.
MAY_IMPORT: dict[str, set[str]] = {
    "cli": ANYTHING,
    "cli_rules": ANYTHING,
    "persons": {"user", "core", "connections", "access", "rules_config", "oauth"},
    "testing": ANYTHING,
    "__main__": {"cli"},
    "core": {
        "sessions",
        "session_record",
        "live",
        "client",
        "vault",
        "stores",
        "keyring",
        "http",
        "oauth",
        "access",
        "dev_provider",
        "grants",
        "connections",
    },
    "app": {"user", "grants", "personal", "live", "sessions", "client", "core", "connections", "access", "state", "streamlit_facts", "web"},
    "web": {"sessions", "session_record", "live", "client", "core", "oauth", "access", "grants", "streamlit_facts"},
    "personal": set(),
    "user": {"personal", "grants", "connections", "access", "state", "sessions", "client", "live"},
    "connections": {"own_logins", "live", "grants", "workers", "personal", "mongo_url", "access"},
    "access": {"sessions", "live", "vault", "client", "oauth"},  # oauth.profile: how a provider shows that an e-mail is verified
    "state": {"sessions", "live", "vault", "client"},
    "live": {"sessions", "session_record"},
    "sessions": {"session_record", "vault", "oauth"},
    "session_record": {"vault", "oauth", "keyring", "stores"},  # the shape of a session on its way into a stored record
    "client": {"vault", "http", "oauth", "kept"},
    "kept": set(),
    "workers": set(),
    "own_logins": {"sessions", "live"},
    "grants": {"own_logins", "workers", "sessions", "session_record", "session_tokens", "live", "client", "oauth", "access", "revocations"},
    "session_tokens": {"sessions", "session_record", "client", "oauth"},
    "revocations": {"workers", "client", "oauth"},
    "dev_provider": {"oauth", "http"},
    "http": {"oauth"},
    "config": {"oauth", "config_reader", "connection_config", "rules_config", "public_address", "kept_secret", "access"},
    "public_address": {"oauth", "config_reader"},
    "rules_config": {"access"},
    "connection_config": {"oauth", "config_reader", "connection_kinds"},
    "connection_kinds": {"oauth", "mongo_url"},
    "mongo_url": {"oauth"},
    "kept_secret": set(),
    "config_reader": set(),
    "vault": {"keyring", "stores"},
}
WEB_MAY_USE_OF_ACCESS = {"st_auth.access.permissions", "st_auth.access.allow"}
STREAMLIT_ROOMS = {"app", "streamlit_facts", "cli", "testing"}
TOKEN_ROOMS = {"oauth", "testing", "dev_provider"}
MOST_LINES = {"function": 60, "file": 400}
AIM_LINES = {"function": 40, "file": 300}


@dataclass(frozen=True)
class Import:
    """One import statement of ours: where it stands, what it names, and whether only the type checker sees it."""

    file: Path
    line: int
    module: str
    names: tuple[str, ...]
    for_types: bool
    lazy: bool  # inside a function: not done when the module is loaded

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.module}"

    @property
    def room(self) -> str:
        return room_of(self.file)

    @property
    def target_room(self) -> str | None:
        """The room of ours that this reaches into, if it is ours."""
        parts = self.module.split(".")
        if parts[0] != "st_auth":
            return None
        return parts[1] if len(parts) > 1 else "__init__"


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports(file: Path) -> Iterator[Import]:
    """Every direct import, wherever in the file, `from st_auth import x` resolved to `st_auth.x`."""
    tree = ast.parse(file.read_text("utf-8"))
    for_types = {id(n) for block in ast.walk(tree) if isinstance(block, ast.If) and _is_type_checking(block.test) for n in ast.walk(block)}
    lazy = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef) for n in ast.walk(f)}
    for node in ast.walk(tree):
        kind = (id(node) in for_types, id(node) in lazy)
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name, (), *kind)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(file, node)
            if module == "st_auth":
                for alias in node.names:
                    yield Import(file, node.lineno, f"st_auth.{alias.name}", (), *kind)
            else:
                yield Import(file, node.lineno, module, tuple(alias.name for alias in node.names), *kind)


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING")


def _absolute(file: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = file.relative_to(ROOT).parts[: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


EVERY_IMPORT = [one for file in files() for one in imports(file)]


def test_rooms_import_only_their_neighbours():
    wrong = [str(one) for one in EVERY_IMPORT if not _is_allowed(one)]

    assert not wrong, "\n".join(["DESIGN 3 does not allow:", *wrong])


def _is_allowed(one: Import) -> bool:
    if one.room == "__init__" or one.target_room in (None, one.room):
        return True
    if one.target_room == "__init__":  # `import st_auth` inside the house would be a circle
        return one.room in ("cli", "testing")
    if one.room == "web" and one.target_room == "access":
        return one.module in WEB_MAY_USE_OF_ACCESS
    allowed = MAY_IMPORT.get(one.room, set())
    return allowed == ANYTHING or one.target_room in allowed | EVERYONES


def test_nothing_imports_testing():
    assert [str(one) for one in EVERY_IMPORT if one.target_room == "testing" and one.room != "testing"] == []


def test_the_table_names_rooms_that_everyone_can_find():
    rooms = {room_of(file) for file in files()}
    later = {"user", "connections", "state", "cli", "__main__"}  # rooms that DESIGN 3 names, allowed to be still empty

    assert set(MAY_IMPORT) - rooms <= later


def test_modules_import_each_other_in_no_circle():
    """A package may open its own modules lazily (`stores` opens a driver's module by name); anything else is a circle."""
    modules = {_module_of(file) for file in files()}
    edges: dict[str, set[str]] = {}
    for one in EVERY_IMPORT:
        if not one.for_types and not (one.lazy and one.target_room == one.room):
            reached = {one.module, *(f"{one.module}.{name}" for name in one.names)} & modules
            edges.setdefault(_module_of(one.file), set()).update(reached - {_module_of(one.file), "st_auth"})

    assert _circle_in(edges) is None


def _module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _circle_in(edges: dict[str, set[str]]) -> list[str] | None:
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> list[str] | None:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return None
        for target in sorted(edges.get(module, ())):
            if found := walk(target, [*path, module]):
                return found
        done.add(module)
        return None

    return next((found for module in sorted(edges) if (found := walk(module, []))), None)


def test_streamlit_is_named_in_its_rooms_only():
    wrong = [str(one) for one in EVERY_IMPORT if one.module.split(".")[0] == "streamlit" and one.room not in STREAMLIT_ROOMS]

    assert wrong == []


def test_streamlits_private_names_are_touched_in_one_room_only():
    public = {"streamlit", "streamlit.testing.v1", "streamlit.connections", "streamlit.errors", "streamlit.web.cli", "streamlit.starlette"}
    reaching = [
        str(one)
        for one in EVERY_IMPORT
        if one.module.split(".")[0] == "streamlit"
        and one.room != "streamlit_facts"
        and not one.for_types
        and (one.module not in public or any(name.startswith("_") for name in one.names))
    ]

    assert reaching == []


@pytest.mark.parametrize(
    ("driver", "rooms"),
    [
        ("authlib", TOKEN_ROOMS),
        ("joserfc", TOKEN_ROOMS),
        ("httpx2", {"http", "connections", "testing", "dev_provider"}),
        ("sqlite3", {"stores"}),
        ("redis", {"stores"}),
        ("psycopg", {"stores"}),
        ("cryptography", {"keyring", "vault", "testing"}),
        ("sqlglot", {"access"}),
        ("snowflake", {"connections"}),
        ("fsspec", {"connections"}),
        ("s3fs", {"connections"}),
        ("gcsfs", {"connections"}),
    ],
)
def test_a_driver_is_imported_in_its_room_only(driver: str, rooms: set[str]):
    assert [str(one) for one in EVERY_IMPORT if one.module.split(".")[0] == driver and one.room not in rooms] == []


def test_oauth_opens_no_socket_and_keeps_nothing():
    sockets = {"socket", "ssl", "httpx2", "httpx", "requests", "starlette", "http.client", "http.server", "urllib.request"}
    forbidden = sockets | {"sqlite3", "threading", "asyncio", "anyio"}

    assert [str(one) for one in EVERY_IMPORT if one.room == "oauth" and {one.module, one.module.split(".")[0]} & forbidden] == []


def test_sizes(record_property, capsys):
    """Longer than 40 lines (a file: 300) is shown as a sign to look again; longer than 60 (400) fails."""
    functions = {
        f"{f.relative_to(ROOT)}:{n.lineno} {n.name}": _length(n)
        for f in files()
        for n in ast.walk(ast.parse(f.read_text("utf-8")))
        if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    lengths = {"function": functions, "file": {str(f.relative_to(ROOT)): len(f.read_text("utf-8").splitlines()) for f in files()}}
    with capsys.disabled():
        for kind, found in lengths.items():
            for name, length in found.items():
                if length > AIM_LINES[kind]:
                    print(f"\n  look again: {name} has {length} lines", end="")

    assert [f"{name}: {n} lines" for kind, found in lengths.items() for name, n in found.items() if n > MOST_LINES[kind]] == []


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_every_exception_to_a_checker_has_its_reason_beside_it():
    """`# noqa: X - why` or `# type: ignore[x]  # why`: a code, and then words."""
    bare = []
    for file in [*files(), *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "bench").rglob("*.py"))]:
        for line, comment in _comments(file):
            if re.search(r"noqa|type:\s*ignore|pragma: no cover", comment) and not _has_reason(comment):
                bare.append(f"{file.relative_to(ROOT)}:{line} {comment}")

    assert bare == []


def _comments(file: Path) -> Iterator[tuple[int, str]]:
    with tokenize.open(file) as source:
        for token in tokenize.generate_tokens(source.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def _has_reason(comment: str) -> bool:
    rest = re.sub(r"#\s*noqa:\s*[A-Z]+\d+(\s*,\s*[A-Z]+\d+)*|#\s*type:\s*ignore\[[\w\-, ]+\]|#\s*pragma: no (cover|branch)", "", comment)
    return len(re.findall(r"[^\W\d_]{2,}", rest)) >= 2


def test_the_reason_test_knows_a_reason():
    assert _has_reason("# noqa: S105 - not a password")
    assert _has_reason("# type: ignore[attr-defined]  # pluggy's result")
    assert not _has_reason("# noqa")
    assert not _has_reason("# noqa: S105")
    assert not _has_reason("# type: ignore[attr-defined]")


def test_lock_files_name_no_address():
    locks = [*ROOT.glob("requirements*.lock"), *(p for p in (ROOT / "tests").rglob("package-lock.json") if "node_modules" not in p.parts)]

    assert len(locks) >= 4
    assert [str(lock.relative_to(ROOT)) for lock in locks if "://" in lock.read_text() or '"resolved"' in lock.read_text()] == []


def test_no_file_names_an_index_or_this_machine():
    """No option that points a package client at an address, no path of the machine this runs on, in anything that is ours."""
    here = {path for path in (str(ROOT), sys.prefix, sys.base_prefix) if path.count("/") > 1 and path != "/usr/local"}
    pattern = re.compile("|".join([r"--(?:extra-)?index-url\s*=?\s*https?:", *(re.escape(f"{path}/") for path in here)]))
    found = [
        f"{file.relative_to(ROOT)}: {line.strip()[:120]}"
        for file in _texts()
        for line in file.read_text("utf-8", "replace").splitlines()
        if pattern.search(line)
    ]

    assert found == []


def _texts() -> Iterator[Path]:
    skipped = {"node_modules", "__pycache__", ".streamlit"}
    for top in ("st_auth", "tests", "bench", "docs", "examples", "providers", "tools", ".ci", "."):
        for file in sorted((ROOT / top).glob("*" if top == "." else "**/*")):
            is_ours = file.is_file() and not skipped & set(file.parts) and file != Path(__file__)
            if is_ours and not file.name.startswith(".coverage") and b"\0" not in file.read_bytes()[:4096]:
                yield file
