"""Run a program with one defence taken away: `python -m tests.attacks.launch TEST_MODULE ID st_auth run app.py …`.

The program is `st_auth` or `streamlit`. Production code has no switch; this process rebinds one name in itself, then starts as usual.
"""

import runpy
import sys

from tests.attacks.disarm import take_away


def main() -> None:
    _, module, attack, program, *arguments = sys.argv
    take_away(module, attack)
    sys.argv = [program, *arguments]
    runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
