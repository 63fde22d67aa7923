#!/usr/bin/env python3
"""Change the code that judges one small thing at a time, and see whether its tests notice: `python tools/mutants.py [MODULE or ROOM …]`.

A room's tests run once, each with the lines that it passes through. Each mutant then runs in a fork: the tests that pass through its line,
the quickest first. What survives them must stand in docs/mutants.md, by what it is and why nobody can tell.
"""

import argparse
import importlib
import importlib.machinery
import inspect
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from pathlib import Path
from types import CodeType
from typing import Any

from mutations import Mutant, mutants

ROOT = Path(__file__).parents[1]
REASONS = ROOT / "docs" / "mutants.md"
LEAST = 90
TIME_LIMIT = 90  # seconds beyond what the tests took without a mutant, four times over
WHOLE_TIME_LIMIT = 900  # where all tests of a module run
_LIBRARIES = (
    "pytest",
    "coverage",
    "tests.conftest",
    "hypothesis.strategies",
    "httpx2",
    "joserfc.jws",
    "joserfc.jwk",
    "authlib.oauth2.rfc7636",
)


@dataclass(frozen=True)
class Room:
    """A package whose modules are changed. `own` says which files of tests a module has where they are not called after it; `whole` are
    those of everything around.

    `warm` lets the mutants start from a process that has run the tests once. Polars and DuckDB have threads then, which a fork loses.
    """

    name: str
    folder: str
    own: dict[str, list[str]]
    whole: list[str]
    warm: bool = False

    @property
    def path(self) -> Path:
        return ROOT / "st_auth" / self.name

    @property
    def modules(self) -> list[str]:
        """The names of its modules."""
        return sorted(path.stem for path in self.path.glob("*.py") if path.stem != "__init__")

    def tests(self, module: str) -> list[str]:
        """The files of tests that are a module's own, then the others."""
        names = self.own.get(module, [module])
        return [*(f"{self.folder}/test_{name}.py" for name in names), *self.whole]


_SQL = ["reader", "sql_grammar", "sql_expressions", "sql_proof", "sql_corners", "sql", "sql_values", "sql_escapes"]
_FRAMES = ["frames", "frame_corners", "frame_types", "frames_equal_sql"]
_RULES = [f"tests/{name}.py" for name in ("connections/test_rules", "test_rules_config", "test_cli_rules", "test_user")]
ROOMS = [
    Room(
        "oauth",
        "tests/oauth",
        {
            "algorithms": ["jwks", "id_token"],
            "dialect": ["plain"],
            "profile": ["profile", "tenants", "shipped_profiles"],
            "quirks": ["shipped_profiles"],
            "resource": ["authorization", "tokens"],
        },
        ["tests/test_client.py"],
        warm=True,
    ),
    Room(
        "access",
        "tests/access",
        {
            **dict.fromkeys(("frame_arrow", "frame_casts", "frame_comparisons", "frame_kinds", "frame_numbers"), _FRAMES),
            "frame_grammar": ["frame_grammar", *_FRAMES],
            **dict.fromkeys(("frame_reading", "frame_texts", "frame_values", "frames"), _FRAMES),
            **dict.fromkeys(("sql_derived", "sql_expressions", "sql_grammar", "sql_known", "sql_names", "sql_params"), _SQL),
            **dict.fromkeys(("sql", "sql_proof", "sql_rewrite", "rules", "reader"), _SQL),
        },
        _RULES,
    ),
]


def _room(module: str) -> Room:
    return next(room for room in ROOMS if module in room.modules)


# -- running -------------------------------------------------------------------------------------------------------------


class _Mutated(importlib.machinery.SourceFileLoader):
    code: CodeType

    def get_code(self, _: str) -> CodeType:
        return self.code


class _Finder:
    """Gives one module its mutated code, wherever it is imported."""

    def __init__(self, module: str, code: CodeType) -> None:
        room = _room(module)
        self._name, self._path, self._code = f"st_auth.{room.name}.{module}", str(room.path / f"{module}.py"), code

    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        if name != self._name:
            return None
        loader = _Mutated(name, self._path)
        loader.code = self._code
        return importlib.machinery.ModuleSpec(name, loader, origin=self._path)


@dataclass
class Passed:
    """What the tests did without any mutant: how long each took, and which pass through which line."""

    seconds: dict[str, float] = field(default_factory=dict)
    lines: dict[int, list[str]] = field(default_factory=dict)

    def through(self, line: int) -> list[str]:
        """The tests that pass through a line, or through the nearest one before it where that is in the middle of a statement."""
        nearest = max((one for one in self.lines if one <= line), default=0)
        return sorted(self.lines.get(nearest, []), key=lambda test: self.seconds.get(test, 0.0))


class Judge:
    """A pytest plugin that collects a module's tests once and runs for each mutant of a function those that could notice, in a fork.

    `found` is told of each that survives, and whether any test met it: a function may be called only when its module is loaded.
    """

    def __init__(self, module: str, found: Callable[[Mutant, bool], None]) -> None:
        self._module, self._found, self._room = module, found, _room(module)

    def pytest_runtestloop(self, session: Any) -> bool:
        """Run everything once without a mutant, then the mutants."""
        path = self._room.path / f"{self._module}.py"
        observe = partial(_observed, session, path)
        passed = observe() if self._room.warm else _in_fork(observe)
        if passed is None:
            raise SystemExit(f"{self._module}: its tests fail without any mutant")
        items = {item.nodeid: item for item in session.items}
        for mutant in mutants(path):
            if mutant.function:
                through = [items[name] for name in passed.through(mutant.line)]
                limit = TIME_LIMIT + 4 * round(sum(passed.seconds[item.nodeid] for item in through))
                if not through or _survives(partial(_patched, session, mutant, through), limit):
                    self._found(mutant, bool(through))
        return True


def _observed(session: Any, path: Path) -> Passed | None:
    """Run the tests, and say which passed through which line; None where one fails."""
    import coverage

    observer, passed = coverage.Coverage(data_file=None, include=[str(path)], config_file=False), Passed()
    observer.set_option("run:disable_warnings", ["no-data-collected"])
    observer.start()
    for item, following in zip_longest(session.items, session.items[1:]):
        observer.switch_context(item.nodeid)
        began = time.perf_counter()
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        passed.seconds[item.nodeid] = time.perf_counter() - began
        if session.testsfailed:
            return None
    observer.stop()
    found = observer.get_data().contexts_by_lineno(str(path))
    passed.lines = {line: [name for name in names if name] for line, names in found.items() if any(names)}
    return passed


def _in_fork(run: Callable[[], Passed | None]) -> Passed | None:
    """Return what `run` returns in a fork."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            _silence()
            with os.fdopen(writing, "wb") as out:
                pickle.dump(run(), out)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as given:
        said = given.read()
    os.wait()
    passed: Passed | None = pickle.loads(said) if said else None
    return passed


def _survives(run: Callable[[], bool], seconds: int) -> bool:
    """Say whether tests pass in a fork, in silence; a run without end counts as one that fails."""
    child = os.fork()
    if child == 0:
        signal.alarm(seconds)
        passed = False
        try:
            _silence()
            passed = run()
        finally:
            os._exit(0 if passed else 1)
    return os.waitpid(child, 0)[1] == 0


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _patched(session: Any, mutant: Mutant, items: Sequence[Any]) -> bool:
    """Put a mutant's code into the function that is loaded, and run the tests that were collected."""
    package = f"st_auth.{_room(mutant.module).name}."
    owner: Any = importlib.import_module(package + mutant.module)  # which may be loaded by the first call only
    code = mutant.code
    for name in mutant.function.split("."):
        owner = vars(owner)[name]
        code = next(one for one in code.co_consts if isinstance(one, CodeType) and one.co_name == name)
    function = getattr(owner, "__func__", None) or getattr(owner, "fget", None) or inspect.unwrap(owner)
    for loaded in [module for name, module in sys.modules.items() if name.startswith(package)]:
        for kept in [value for value in vars(loaded).values() if hasattr(value, "cache_clear")]:
            kept.cache_clear()
    function.__code__ = code
    for item, following in zip_longest(items, items[1:]):
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


def judge(module: str) -> tuple[list[str], int]:
    """Return the names of a module's mutants that survive, each printed when it does, and how many there are."""
    room = _room(module)
    reading, writing = os.pipe()
    everything, tests = list(mutants(room.path / f"{module}.py")), room.tests(module)
    if os.fork() == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        with os.fdopen(writing, "w", buffering=1) as out:
            judge = Judge(module, lambda mutant, met: print(mutant.line if met else 0, mutant.name, file=out))
            failed = _pytest(tests, [judge])
            print("done" if failed == 0 else "failed", file=out)
        os._exit(0)
    os.close(writing)
    left, unmet = [], []
    with os.fdopen(reading) as lines:
        for line in map(str.rstrip, lines):
            if line.startswith("0 "):
                unmet.append(line.removeprefix("0 "))
            else:
                left.append(_survivor(line))
    os.wait()
    if left.pop() != "done":
        sys.exit(f"{module}: its tests fail without any mutant")
    others = [mutant for mutant in everything if not mutant.function or mutant.name in unmet]
    left += [_survivor(f"{one.line} {one.name}") for one in others if _survives(partial(_from_the_start, one, tests), WHOLE_TIME_LIMIT)]
    return left, len(everything)


def _survivor(line: str) -> str:
    number, _, name = line.partition(" ")
    if not name:
        return number
    print(f"    {' ' if name in _reasons() else '!'} line {number}: {name}", flush=True)
    return name


def _reasons() -> str:
    return REASONS.read_text("utf-8") if REASONS.exists() else ""


def _chosen(names: Sequence[str]) -> Iterator[str]:
    """The modules that are named, by themselves or by their room; all where none is."""
    for room in ROOMS:
        yield from [module for module in room.modules if not names or room.name in names or module in names]


def main() -> int:
    """Print each module's score and its survivors; 1 where the whole is under 90 % or a survivor has no reason in docs/mutants.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "modules", nargs="*", help="names such as id_token, or oauth and access for all of a room; everything if none is given"
    )
    chosen = list(_chosen(parser.parse_args().modules))
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
        print(f"{module:17} {killed:4} of {count:4} killed  {100 * killed / max(count, 1):5.1f} %  {seconds:4.0f} s", flush=True)
    score = 100 * (total - survived) / max(total, 1)
    print(f"{total - survived} of {total} killed: {score:.1f} %; {bare} survivors without a reason in {REASONS.relative_to(ROOT)}")
    return 1 if score < LEAST or bare else 0


if __name__ == "__main__":
    sys.exit(main())
