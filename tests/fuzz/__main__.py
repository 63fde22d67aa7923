"""`python -m tests.fuzz [--cases N] [--seed N]`: change valid answers of a provider, and see that nobody is let in who should not be."""

import argparse
import secrets
import sys

from tests.fuzz.branches import NOT_REACHED, every_branch
from tests.fuzz.run import Tally, run

LEAST = 100


def main() -> int:
    """Run, print the table, and return 1 where something was wrong or a branch was hit too seldom for the number of cases."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=None, help="the same seed gives the same cases; drawn and printed where none is given")
    options = parser.parse_args()
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    print(f"seed {seed}: {options.cases} cases", flush=True)
    tally = run(options.cases, seed)
    least = LEAST * options.cases // 100_000
    seldom = _table(tally, least)
    for wrong in tally.wrong[:20]:
        print(f"\nWRONG {wrong}")
    print(f"\n{tally.cases} cases in {tally.seconds:.0f} s ({tally.cases / tally.seconds:.0f}/s), seed {seed}")
    print(f"outcomes {dict(tally.outcomes)}; changed tokens {tally.changed_tokens}, of them signed again {tally.resigned}")
    print(f"{len(tally.wrong)} wrong, {len(seldom)} branches under {least}")
    return 1 if tally.wrong or seldom else 0


def _table(tally: Tally, least: int) -> list[str]:
    """Print how often each branch was hit, and return those that were hit too seldom."""
    hits = {str(branch): tally.branches[branch] for branch in every_branch()}
    for name, count in sorted(hits.items()):
        print(f"{count:8} {'  ' if count >= least else '! '}{name}")
    for (file, function), why in NOT_REACHED.items():
        print(f"       -   {file} {function}: {why}")
    return [name for name, count in hits.items() if count < least]


if __name__ == "__main__":
    sys.exit(main())
