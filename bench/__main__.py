"""`python -m bench [ROWS…]`: measure, print the table, write bench/results.json; exit code 1 if a row is not held."""

import argparse
import importlib
import pkgutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import rows
from bench.ground import Ground
from bench.result import Note, Row, table, write

Measure = Callable[[Ground], list[Row | Note]]
_RESULTS = Path(__file__).with_name("results.json")


def known_rows(kind: str) -> dict[str, Measure]:
    """All rows by name: a file under bench/rows has `ROWS`, or `EXTRAS`, which are measured only when they are named."""
    modules = [importlib.import_module(f"bench.rows.{found.name}") for found in pkgutil.iter_modules(rows.__path__)]
    return {name: measure for module in modules for name, measure in getattr(module, kind, {}).items()}


def main() -> int:
    """Measure the rows that are named, or all."""
    always = known_rows("ROWS")
    known = always | known_rows("EXTRAS")
    parser = argparse.ArgumentParser("python -m bench", description="Measure st_auth beside Streamlit's own login.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(known))
    wanted = parser.parse_args().rows or list(always)
    if unknown := [name for name in wanted if name not in known]:
        parser.error(f"unknown rows: {', '.join(unknown)}; known are {', '.join(known)}")
    results: list[Row | Note] = []
    with Ground() as ground:
        for name in wanted:
            began = time.monotonic()
            results += known[name](ground)
            print(f"measured {name} ({time.monotonic() - began:.0f} s)", file=sys.stderr)
    print(table(results))
    write(results, _RESULTS)
    return 0 if all(row.held for row in results if isinstance(row, Row)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
