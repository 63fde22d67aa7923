"""`python -m st_auth` is the command `st-auth`."""

import sys

from st_auth.cli import main

if __name__ == "__main__":
    sys.exit(main())
