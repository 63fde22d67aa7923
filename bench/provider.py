"""An identity provider in a process of its own, so that its work is nobody's: it logs in without asking and prints its address."""

import json
import sys

from st_auth.testing import FakeIssuer


def main() -> None:
    """Serve until standard input ends, as it does with the bench."""
    issuer = FakeIssuer(client_secret="a-plain-secret")
    # Head and body are two writes; on a kept connection Nagle's algorithm would make each answer 40 ms late.
    issuer._server.RequestHandlerClass.disable_nagle_algorithm = True
    issuer.__enter__()
    print(json.dumps(issuer.section()), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
