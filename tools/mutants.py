#!/usr/bin/env python3
"""Change the protocol code one small thing at a time, and see whether its tests notice: `python tools/mutants.py [MODULE …]`.

Each mutant runs in a fork of a process that has pytest, Streamlit and the libraries loaded already, but not st_auth: first the module's own
tests, then those of the whole client, then each change of tests/fuzz. What survives all three must stand in docs/mutants.md, by what
it is and why nobody can tell. Not mutated: words for people (messages, hints, docstrings), types, decorators and `__all__`.
"""

import argparse
import ast
import copy
import importlib
import importlib.machinery
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
    "profile_file": ["profile"],
    "violations": ["authorization", "tokens"],
    "resource": ["authorization", "tokens"],
}
_LIBRARIES = ("pytest", "tests.conftest", "hypothesis.strategies", "httpx2", "joserfc.jws", "joserfc.jwk", "authlib.oauth2.rfc7636")
_WORDY = {"protocol_violation", "LoginRefused", "ProviderError", "Unavailable", "_mismatch", "Problem", "ValueError", "wrong", "refusal"}
_FOR_PEOPLE = re.compile(r"HINT|MEND|CREDENTIALS|^(hint|message|mend|__all__)$")
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
            yield Mutant(module, _place(tree, trail), getattr(node, "lineno", 0), before, _short(new), code)


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
    """Say whether something is words or imports: a docstring, a message, a hint, what should have been there."""
    if isinstance(child, ast.Expr):
        return isinstance(child.value, ast.Constant)
    if isinstance(child, ast.Assign):
        return any(isinstance(target, ast.Name) and _FOR_PEOPLE.search(target.id) for target in child.targets)
    if isinstance(child, ast.JoinedStr | ast.Import | ast.ImportFrom):
        return True
    if isinstance(child, ast.keyword):
        return child.arg in {"hint", "mend", "message"}
    first = 1 if _called(parent) in {"protocol_violation", "_mismatch"} else 0
    return _called(parent) in _WORDY and field == "args" and isinstance(child, ast.Constant | ast.BinOp) and (number or 0) >= first


def _called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _changed(node: ast.AST, trail: Trail, tree: ast.AST) -> Iterator[ast.AST]:
    """What a node may become."""
    if isinstance(node, ast.Constant) and isinstance(_at(tree, trail[:-1]), ast.JoinedStr | ast.FormattedValue):
        return
    for kind, change in _CHANGES.items():
        if isinstance(node, kind):
            yield from change(node)


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
        if keyword.arg is not None and _called(node) not in _WORDY:
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


def survives(module: str, code: CodeType, tests: Sequence[str]) -> bool:
    """Run tests against a mutant in a fork; a run without end counts as noticed."""
    child = os.fork()
    if child == 0:
        signal.alarm(TIME_LIMIT)
        _run(module, code, tests)
    _, status = os.waitpid(child, 0)
    return status == 0


def _run(module: str, code: CodeType, tests: Sequence[str]) -> None:
    result = 1
    try:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        sys.meta_path.insert(0, _Finder(module, code))  # type: ignore[arg-type]  # a finder needs no more than this
        import hypothesis
        import pytest

        hypothesis.settings.register_profile("mutants", max_examples=25, derandomize=True, database=None, deadline=None)
        hypothesis.settings.load_profile("mutants")
        result = pytest.main(["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "--no-header", "--tb=no", *tests])
    finally:
        os._exit(int(result))


def own_tests(module: str) -> list[str]:
    """The files of tests that are a module's own."""
    names = OWN_TESTS.get(module, [module])
    return [str(ROOT / "tests" / "oauth" / f"test_{name}.py") for name in names]


def judge(module: str) -> tuple[list[Mutant], int]:
    """Return the mutants of a module that survive, and how many there are."""
    stages = (
        own_tests(module),
        ["tests/test_client.py"],
        ["tests/fuzz/test_provider_answers.py::test_each_change_alone_comes_out_as_its_rule_says"],
    )
    source = compile((ROOM / f"{module}.py").read_text("utf-8"), str(ROOM / f"{module}.py"), "exec")
    for tests in stages:
        if not survives(module, source, tests):
            sys.exit(f"{module}: {tests} fail without any mutant")
    everything = list(mutants(module))
    left = [mutant for mutant in everything if all(survives(module, mutant.code, tests) for tests in stages)]
    return left, len(everything)


def main() -> int:
    """Print each module's score and its survivors; 1 where the whole is under 90 % or a survivor has no reason in docs/mutants.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="names such as id_token; all of st_auth/oauth if none is given")
    chosen = parser.parse_args().modules or sorted(path.stem for path in ROOM.glob("*.py") if path.stem != "__init__")
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    for library in _LIBRARIES:
        importlib.import_module(library)
    reasons, total, survived, bare = REASONS.read_text("utf-8") if REASONS.exists() else "", 0, 0, 0
    for module in chosen:
        began = time.monotonic()
        left, count = judge(module)
        total, survived = total + count, survived + len(left)
        killed, seconds = count - len(left), time.monotonic() - began
        print(f"{module:15} {killed:4} of {count:4} killed  {100 * killed / max(count, 1):5.1f} %  {seconds:4.0f} s", flush=True)
        for mutant in left:
            known = mutant.name in reasons
            bare += not known
            print(f"    {' ' if known else '!'} line {mutant.line}: {mutant.name}", flush=True)
    score = 100 * (total - survived) / max(total, 1)
    print(f"{total - survived} of {total} killed: {score:.1f} %; {bare} survivors without a reason in {REASONS.relative_to(ROOT)}")
    return 1 if score < LEAST or bare else 0


if __name__ == "__main__":
    sys.exit(main())
