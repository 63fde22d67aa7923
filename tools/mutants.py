#!/usr/bin/env python3
"""Change the protocol code one small thing at a time, and see whether its tests notice: `python tools/mutants.py [MODULE …]`.

Each mutant runs in a fork of a process that has collected the tests already: those of the module, then those of the whole client. What
survives them must stand in docs/mutants.md, by what it is and why nobody can tell.
Not mutated: words for people (messages, hints, docstrings), types, decorators and `__all__`.
"""

import argparse
import ast
import copy
import importlib
import importlib.machinery
import inspect
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from types import CodeType
from typing import Any

ROOT = Path(__file__).parents[1]
ROOM = ROOT / "st_auth" / "oauth"
REASONS = ROOT / "docs" / "mutants.md"
LEAST = 90
TIME_LIMIT = 90
OWN_TESTS = {
    "algorithms": ["jwks", "id_token"],
    "dialect": ["plain"],
    "profile": ["profile", "tenants", "shipped_profiles"],
    "quirks": ["shipped_profiles"],
    "resource": ["authorization", "tokens"],
}
_LIBRARIES = ("pytest", "tests.conftest", "hypothesis.strategies", "httpx2", "joserfc.jws", "joserfc.jwk", "authlib.oauth2.rfc7636")
_WORDY = {
    *("protocol_violation", "LoginRefused", "ProviderError", "Unavailable", "_mismatch", "Problem"),
    *("ValueError", "TypeError", "wrong", "refusal"),
}
_SAID = {"hint", "mend", "message"}
_FOR_PEOPLE = re.compile(r"HINT|MEND|CREDENTIALS|NOT_SECURE|ONLY_PLAIN|^(hint|message|mend|__all__)$")
_COMPARED: dict[type, tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_COUNTED: dict[type, type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}


@dataclass(frozen=True)
class Mutant:
    """One change: the statement or expression of before and after, in the function where it is."""

    module: str
    place: str
    line: int
    before: str
    after: str
    code: CodeType
    function: str

    @property
    def name(self) -> str:
        """What documentation calls it; holds no line number, so that it outlives edits elsewhere."""
        return f"{self.module}.{self.place}: `{self.before}` → `{self.after}`"


def mutants(module: str) -> Iterator[Mutant]:
    """Every mutant of a module, from its source."""
    path = ROOM / f"{module}.py"
    tree = ast.parse(path.read_text("utf-8"))
    for trail in list(_trails(tree, ())):
        count = len(list(_changed(_at(tree, trail), trail, tree)))
        for number in range(count):
            mutated = copy.deepcopy(tree)
            node = _at(mutated, trail)
            before = _short(node)
            new = list(_changed(node, trail, mutated))[number]
            _put(mutated, trail, new)
            code = compile(ast.fix_missing_locations(mutated), str(path), "exec")
            yield Mutant(module, _place(tree, trail), getattr(node, "lineno", 0), before, _short(new), code, _function(tree, trail))


Trail = tuple[tuple[str, int | None], ...]


def _trails(node: ast.AST, trail: Trail) -> Iterator[Trail]:
    """Where the nodes are that may be changed, as fields and indices from the top."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "bases", "args") and not isinstance(node, ast.Call):
            continue
        for number, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and not _is_for_people(node, field, number, child):
                yield (*trail, (field, number))
                yield from _trails(child, (*trail, (field, number)))


def _is_for_people(parent: ast.AST, field: str, number: int | None, child: ast.AST) -> bool:
    """Say whether something is words, types or imports: a docstring, a message, a hint, what should have been there."""
    if isinstance(child, ast.Expr):
        return isinstance(child.value, ast.Constant)
    if isinstance(child, ast.Assign):
        return any(isinstance(target, ast.Name) and _FOR_PEOPLE.search(target.id) for target in child.targets)
    if isinstance(child, ast.JoinedStr | ast.Import | ast.ImportFrom) or _is_type(parent, child):
        return True
    if isinstance(child, ast.keyword):
        return child.arg in _SAID
    first = 1 if _called(parent) in {"protocol_violation", "_mismatch"} else 0
    return _called(parent) in _WORDY and field == "args" and isinstance(child, ast.Constant | ast.BinOp) and (number or 0) >= first


def _is_type(parent: ast.AST, child: ast.AST) -> bool:
    """Say whether something is read by a type checker only: `Literal[…]`, or what a `cast` is to."""
    is_literal = isinstance(child, ast.Subscript) and isinstance(child.value, ast.Name) and child.value.id == "Literal"
    return is_literal or (_called(parent) == "cast" and isinstance(child, ast.Constant))


def _called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _changed(node: ast.AST, trail: Trail, tree: ast.AST) -> Iterator[ast.AST]:
    """What a node may become."""
    if isinstance(node, ast.Constant) and (isinstance(_at(tree, trail[:-1]), ast.JoinedStr | ast.FormattedValue) or _is_told(trail, tree)):
        return
    for kind, change in _CHANGES.items():
        if isinstance(node, kind):
            yield from change(node)


def _is_told(trail: Trail, tree: ast.AST) -> bool:
    """Say whether something stands behind the key in what is yielded of a problem: what is wrong, and how to mend it."""
    around = [_at(tree, trail[:depth]) for depth in (-1, -2)]
    return isinstance(around[0], ast.Tuple) and isinstance(around[1], ast.Yield) and trail[-1] != ("elts", 0)


def _compared(node: ast.Compare) -> Iterator[ast.AST]:
    for number, op in enumerate(node.ops):
        for other in _COMPARED.get(type(op), ()):
            yield ast.Compare(node.left, [*node.ops[:number], other(), *node.ops[number + 1 :]], node.comparators)


def _combined(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)


def _affirmed(node: ast.UnaryOp) -> Iterator[ast.AST]:
    if isinstance(node.op, ast.Not):
        yield node.operand


def _counted(node: ast.BinOp) -> Iterator[ast.AST]:
    if type(node.op) in _COUNTED:
        yield ast.BinOp(node.left, _COUNTED[type(node.op)](), node.right)


def _other_constants(node: ast.Constant) -> Iterator[ast.AST]:
    if isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
    elif isinstance(node.value, str):
        yield ast.Constant(node.value + "x")
    elif isinstance(node.value, bytes):
        yield ast.Constant(node.value + b"x")


def _returned_nothing(node: ast.Return) -> Iterator[ast.AST]:
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield ast.Return(ast.Constant(None))


def _left_out(node: ast.Raise | ast.Expr) -> Iterator[ast.AST]:
    if isinstance(node, ast.Raise) or isinstance(node.value, ast.Call):
        yield ast.Pass()


def _turned(node: ast.If | ast.IfExp) -> Iterator[ast.AST]:
    if not isinstance(node.test, ast.Compare | ast.UnaryOp):
        yield type(node)(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)


def _without_keyword(node: ast.Call) -> Iterator[ast.AST]:
    for number, keyword in enumerate(node.keywords):
        if keyword.arg is not None and keyword.arg not in _SAID and _called(node) not in _WORDY:
            yield ast.Call(node.func, node.args, [*node.keywords[:number], *node.keywords[number + 1 :]])


_CHANGES: dict[Any, Callable[[Any], Iterator[ast.AST]]] = {
    ast.Compare: _compared,
    ast.BoolOp: _combined,
    ast.UnaryOp: _affirmed,
    ast.BinOp: _counted,
    ast.Constant: _other_constants,
    ast.Return: _returned_nothing,
    (ast.Raise, ast.Expr): _left_out,
    (ast.If, ast.IfExp): _turned,
    ast.Call: _without_keyword,
}


def _at(tree: ast.AST, trail: Trail) -> ast.AST:
    node = tree
    for field, number in trail:
        node = getattr(node, field) if number is None else getattr(node, field)[number]
    return node


def _put(tree: ast.AST, trail: Trail, new: ast.AST) -> None:
    (field, number), parent = trail[-1], _at(tree, trail[:-1])
    if number is None:
        setattr(parent, field, new)
    else:
        getattr(parent, field)[number] = new


def _place(tree: ast.AST, trail: Trail) -> str:
    nodes = [_at(tree, trail[:depth]) for depth in range(1, len(trail) + 1)]
    names = [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assigned = [target.id for node in nodes if isinstance(node, ast.Assign) for target in node.targets if isinstance(target, ast.Name)]
    return ".".join(names) or "".join(assigned[:1]) or "module"


def _function(tree: ast.AST, trail: Trail) -> str:
    """The function or method whose body holds a change; empty where it is run when the module is loaded."""
    names = []
    for depth in range(1, len(trail) + 1):
        node = _at(tree, trail[:depth])
        if isinstance(node, ast.ClassDef):
            names.append(node.name)
        if isinstance(node, ast.FunctionDef):
            inside = depth < len(trail) and trail[depth][0] == "body"
            return ".".join([*names, node.name]) if inside else ""
    return ""


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(ast.fix_missing_locations(node)).split())
    return text if len(text) <= 100 else text[:97] + "…"


# -- running -------------------------------------------------------------------------------------------------------------


class _Mutated(importlib.machinery.SourceFileLoader):
    code: CodeType

    def get_code(self, _: str) -> CodeType:
        return self.code


class _Finder:
    """Gives one module its mutated code, wherever it is imported."""

    def __init__(self, module: str, code: CodeType) -> None:
        self._name, self._path, self._code = f"st_auth.oauth.{module}", str(ROOM / f"{module}.py"), code

    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        if name != self._name:
            return None
        loader = _Mutated(name, self._path)
        loader.code = self._code
        return importlib.machinery.ModuleSpec(name, loader, origin=self._path)


class Judge:
    """A pytest plugin that collects a module's tests once and runs them for each mutant of a function, in a fork of its own."""

    def __init__(self, module: str, found: Callable[[Mutant], None]) -> None:
        self._module, self._found = module, found

    def pytest_runtestloop(self, session: Any) -> bool:
        """Run everything once without a mutant, which also warms what is made once in a process; then the mutants."""
        if not _passes(session):
            raise SystemExit(f"{self._module}: its tests fail without any mutant")
        for mutant in mutants(self._module):
            if mutant.function and _survives(partial(_patched, session, mutant)):
                self._found(mutant)
        return True


def _survives(run: Callable[[], bool]) -> bool:
    """Say whether tests pass in a fork, in silence; a run without end counts as one that fails."""
    child = os.fork()
    if child == 0:
        signal.alarm(TIME_LIMIT)
        passed = False
        try:
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            passed = run()
        finally:
            os._exit(0 if passed else 1)
    return os.waitpid(child, 0)[1] == 0


def _patched(session: Any, mutant: Mutant) -> bool:
    """Put a mutant's code into the function that is loaded, and run the tests that were collected."""
    owner: Any = sys.modules[f"st_auth.oauth.{mutant.module}"]
    code = mutant.code
    for name in mutant.function.split("."):
        owner = vars(owner)[name]
        code = next(one for one in code.co_consts if isinstance(one, CodeType) and one.co_name == name)
    function = getattr(owner, "__func__", None) or getattr(owner, "fget", None) or inspect.unwrap(owner)
    for loaded in [module for name, module in sys.modules.items() if name.startswith("st_auth.oauth.")]:
        for kept in [value for value in vars(loaded).values() if hasattr(value, "cache_clear")]:
            kept.cache_clear()
    function.__code__ = code
    return _passes(session)


def _passes(session: Any) -> bool:
    for item, following in zip_longest(session.items, session.items[1:]):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return False
    return True


def _from_the_start(mutant: Mutant, tests: Sequence[str]) -> bool:
    """Import everything with the mutant in its place, for what is computed when a module is loaded."""
    sys.meta_path.insert(0, _Finder(mutant.module, mutant.code))  # type: ignore[arg-type]  # a finder needs no more than this
    return _pytest(["-x", *tests], []) == 0


def _pytest(arguments: Sequence[str], plugins: Sequence[object]) -> int:
    hypothesis, pytest = importlib.import_module("hypothesis"), importlib.import_module("pytest")
    found = (hypothesis.Phase.explicit, hypothesis.Phase.generate)  # no smaller example: that one fails is all there is to know
    calm: dict[str, Any] = {"deadline": None, "suppress_health_check": list(hypothesis.HealthCheck), "phases": found}
    hypothesis.settings.register_profile("mutants", max_examples=25, derandomize=True, database=None, **calm)
    hypothesis.settings.load_profile("mutants")
    quiet = ["-q", "--assert=plain", "-p", "no:cacheprovider", "--no-header", "--tb=no"]
    return int(pytest.main([*quiet, *arguments], plugins=list(plugins)))


def _tests(module: str) -> list[str]:
    """The files of tests that are a module's own, then those of the whole client."""
    names = OWN_TESTS.get(module, [module])
    return [*(f"tests/oauth/test_{name}.py" for name in names), "tests/test_client.py"]


def judge(module: str) -> tuple[list[str], int]:
    """Return the names of a module's mutants that survive, each printed when it does, and how many there are."""
    reading, writing = os.pipe()
    everything = list(mutants(module))
    if os.fork() == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        with os.fdopen(writing, "w", buffering=1) as out:
            judge = Judge(module, lambda mutant: print(mutant.line, mutant.name, file=out))
            failed = _pytest(_tests(module), [judge])
            print("done" if failed == 0 else "failed", file=out)
        os._exit(0)
    os.close(writing)
    left = []
    with os.fdopen(reading) as lines:
        left.extend(_survivor(line.rstrip("\n")) for line in lines)
    os.wait()
    if left.pop() != "done":
        sys.exit(f"{module}: its tests fail without any mutant")
    others = [mutant for mutant in everything if not mutant.function]
    left += [_survivor(f"{one.line} {one.name}") for one in others if _survives(partial(_from_the_start, one, _tests(module)))]
    return left, len(everything)


def _survivor(line: str) -> str:
    number, _, name = line.partition(" ")
    if not name:
        return number
    print(f"    {' ' if name in _reasons() else '!'} line {number}: {name}", flush=True)
    return name


def _reasons() -> str:
    return REASONS.read_text("utf-8") if REASONS.exists() else ""


def main() -> int:
    """Print each module's score and its survivors; 1 where the whole is under 90 % or a survivor has no reason in docs/mutants.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="names such as id_token; all of st_auth/oauth if none is given")
    chosen = parser.parse_args().modules or sorted(path.stem for path in ROOM.glob("*.py") if path.stem != "__init__")
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    for library in _LIBRARIES:
        importlib.import_module(library)
    total, survived, bare = 0, 0, 0
    for module in chosen:
        began = time.monotonic()
        left, count = judge(module)
        total, survived = total + count, survived + len(left)
        bare += len([name for name in left if name not in _reasons()])
        killed, seconds = count - len(left), time.monotonic() - began
        print(f"{module:15} {killed:4} of {count:4} killed  {100 * killed / max(count, 1):5.1f} %  {seconds:4.0f} s", flush=True)
    score = 100 * (total - survived) / max(total, 1)
    print(f"{total - survived} of {total} killed: {score:.1f} %; {bare} survivors without a reason in {REASONS.relative_to(ROOT)}")
    return 1 if score < LEAST or bare else 0


if __name__ == "__main__":
    sys.exit(main())
