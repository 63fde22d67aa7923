"""`python -m tests.cases`: where each case of docs/cases.toml stands, shown by running its tests; attacks also without their defence.

It fails where a `held` case names a test that is missing, was skipped or failed, where an attack gets through, and where an attack
does not get through although its defence is off: that test shows nothing.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
ATTACKS = "tests/attacks/"
IN_BROWSER = ("tests/browser/", "tests/attacks/test_a25_in_chromium.py")
STATUSES = ("held", "open", "n/a")
GROUPS = {
    "RP": "OpenID conformance suite, relying party",
    "F2": "FAPI 2.0",
    "X": "wrong answers of a provider",
    "A": "attacks on a Streamlit app: with the defence, and without it",
    "": "specifications",
}
_ASSERTED = re.compile(r"AssertionError|assert |Failed: DID NOT RAISE")


@dataclass(frozen=True, slots=True)
class Case:
    """One table of cases.toml."""

    id: str
    what: str
    status: str
    tests: tuple[str, ...] = ()
    why: str = ""

    @property
    def group(self) -> str:
        name = self.id.partition("-")[0]
        return name if name in GROUPS else ""


@dataclass(slots=True)
class Results:
    """What became of each test: `passed`, `failed` (an assertion), `broke` (anything else) or `skipped`."""

    by_test: dict[str, set[str]] = field(default_factory=dict)

    def of(self, test: str) -> set[str]:
        """The results of a test with all its parameters; empty if it did not run."""
        return self.by_test.get(test, set())


def main(arguments: list[str] | None = None) -> int:
    """Print the cases; 0 if everything that is said to be held is held."""
    parser = argparse.ArgumentParser(prog="python -m tests.cases", description="Where each case of docs/cases.toml stands.")
    parser.add_argument("only", nargs="*", help="ids or groups, such as A-03 or RP; all without")
    parser.add_argument("-n", "--workers", default="2", help="tests at a time")
    given = parser.parse_args(arguments)
    cases = read()
    chosen = [c for c in cases if not given.only or c.id in given.only or c.id.partition("-")[0] in given.only]
    tests = {test for case in chosen for test in case.tests}
    missing = tests - collected({test.partition("::")[0] for test in tests})
    normal = run(tests - missing, given.workers)
    disarmed = run({t for c in chosen if c.group == "A" for t in c.tests if t.startswith(ATTACKS)} - missing, given.workers, "--disarm")
    problems = show(chosen, missing, normal, disarmed)
    return 1 if problems else 0


def read(path: Path = ROOT / "docs" / "cases.toml") -> list[Case]:
    """The cases in the file's order; ValueError where one says something that it may not say."""
    cases = []
    for name, table in tomllib.loads(path.read_text("utf-8")).items():
        if unknown := table.keys() - {"what", "status", "tests", "why"}:
            raise ValueError(f"[{name}] has unknown keys: {', '.join(sorted(unknown))}")
        case = Case(name, table["what"], table["status"], tuple(table.get("tests", ())), table.get("why", ""))
        if case.status not in STATUSES or bool(case.tests) != (case.status == "held") or (case.status == "n/a" and not case.why):
            raise ValueError(f"[{name}] is held with tests, open, or n/a with a why")
        cases.append(case)
    return cases


def collected(files: Iterable[str]) -> set[str]:
    """Every test of these files, without parameters."""
    known = sorted(f for f in files if (ROOT / f).is_file())
    if not known:
        return set()
    answer = _pytest(["--collect-only", "-q", "--no-header", *known])
    if answer.returncode != 0:
        raise SystemExit(f"the tests cannot be collected:\n{answer.stdout}")
    return {_plain(line) for line in answer.stdout.splitlines() if "::" in line}


def run(tests: set[str], workers: str, *options: str) -> Results:
    """Run the tests and read what became of each; those in a browser by themselves, as Playwright keeps an event loop running."""
    in_browser = {test for test in tests if test.startswith(IN_BROWSER)}
    results = Results()
    for some in (tests - in_browser, in_browser):
        results.by_test |= _run(some, workers, *options).by_test
    return results


def _run(tests: set[str], workers: str, *options: str) -> Results:
    if not tests:
        return Results()
    print(f"• {len(tests)} tests {' '.join(options)}".rstrip(), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        many = ["-n", workers, "--dist=worksteal"]
        written = [f"--junitxml={report}", "-o", "junit_family=xunit1"]
        answer = _pytest(["-q", "--no-header", "--tb=short", *many, *written, *options, *sorted(tests)])
        if not report.is_file():
            raise SystemExit(f"the tests cannot be run:\n{answer.stdout}{answer.stderr}")
        results = Results()
        for one in ET.parse(report).iter("testcase"):
            results.by_test.setdefault(_plain(_node(one)), set()).add(_outcome(one))
        wanted = "failed" if "--disarm" in options else "passed"
        if any(outcomes != {wanted} for outcomes in results.by_test.values()):
            print(answer.stdout[-20_000:])
        return results


def _pytest(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"COLUMNS": "160"}
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def _plain(node: str) -> str:
    return node.partition("[")[0]


def _node(case: ET.Element) -> str:
    """The id of a test, from its class: the report's `file` is where the function stands, which may be a contract that a class inherits."""
    module, classes = case.get("classname", ""), []
    while module and not (ROOT / f"{module.replace('.', '/')}.py").is_file():
        module, _, inner = module.rpartition(".")
        classes.insert(0, inner)
    return "::".join([f"{module.replace('.', '/')}.py", *classes, case.get("name", "")])


def _outcome(case: ET.Element) -> str:
    for child in case:
        if child.tag == "skipped":
            return "skipped"
        if child.tag == "error":
            return "broke"
        if child.tag == "failure":
            return "failed" if _ASSERTED.match(child.get("message", "")) else "broke"
    return "passed"


def show(cases: list[Case], missing: set[str], normal: Results, disarmed: Results) -> list[str]:
    """Print the cases by group and return what is wrong, one line each."""
    problems = [f"{case.id} names a test that does not exist: {test}" for case in cases for test in case.tests if test in missing]
    for group, title in GROUPS.items():
        of_group = [case for case in cases if case.group == group]
        if not of_group:
            continue
        counts = ", ".join(f"{sum(c.status == s for c in of_group)} {s}" for s in STATUSES)
        print(f"\n{group or 'Others'}: {title} ({counts})")
        for case in of_group:
            print(f"  {case.id:8} {case.status:5} {_results(case, normal, disarmed):34} {case.why or case.what}"[:158])
            problems += _problems(case, missing, normal, disarmed)
    totals = ", ".join(f"{sum(c.status == s for c in cases)} {s}" for s in STATUSES)
    print(f"\n{len(cases)} cases: {totals}")
    for problem in problems:
        print(f"✗ {problem}")
    return problems


def _results(case: Case, normal: Results, disarmed: Results) -> str:
    if case.status != "held":
        return ""
    passed = f"{sum(normal.of(t) == {'passed'} for t in case.tests)}/{len(case.tests)} pass"
    attacks = [t for t in case.tests if t.startswith(ATTACKS)] if case.group == "A" else []
    return f"{passed}, disarmed {sum(disarmed.of(t) == {'failed'} for t in attacks)}/{len(attacks)} fail" if attacks else passed


def _problems(case: Case, missing: set[str], normal: Results, disarmed: Results) -> list[str]:
    present = [t for t in case.tests if t not in missing]
    found = [f"{case.id}: {_said(normal.of(t))}: {t}" for t in present if normal.of(t) != {"passed"}]
    attacks = [t for t in present if case.group == "A" and t.startswith(ATTACKS) and disarmed.of(t) != {"failed"}]
    return found + [f"{case.id}: with its defence off it should fail, but {_said(disarmed.of(t))}: {t}" for t in attacks]


def _said(outcomes: Mapping[str, object] | set[str]) -> str:
    return " and ".join(sorted(outcomes)) or "did not run"


if __name__ == "__main__":
    sys.exit(main())
