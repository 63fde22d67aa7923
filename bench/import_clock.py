"""Run in a fresh process: CPU seconds of importing Streamlit, then st_auth, then of the first touch of `require_login`, as JSON.

Nothing that loads Streamlit may stand here or in what is imported before.
"""

import time

_clock = time.process_time


def main() -> None:
    """Import, one after the other, and print what each took."""
    times = [_clock()]
    import streamlit  # noqa: F401  # its import is what is measured

    times.append(_clock())
    import st_auth

    times.append(_clock())
    st_auth.require_login  # noqa: B018  # the name's first use loads what stands behind it
    times.append(_clock())
    import json

    print(json.dumps([times[i + 1] - times[i] for i in range(3)]))


if __name__ == "__main__":
    main()
