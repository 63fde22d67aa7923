"""Take what is loaded once and for all out of the garbage collector's sight."""

import gc

__all__ = ["freeze"]


def freeze() -> None:
    """Collect, then freeze the heap.

    Streamlit collects the whole heap after each script run; modules and functions that live as long as the process need not be
    looked at again each time. What is frozen is still freed when its last reference goes; only cycles among frozen objects stay.
    """
    gc.collect()
    gc.freeze()
