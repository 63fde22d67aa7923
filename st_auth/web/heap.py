"""Take what is loaded once and for all out of the garbage collector's sight."""

import gc

__all__ = ["freeze", "thaw"]


def freeze() -> None:
    """Collect, then freeze the heap.

    Streamlit collects the whole heap after each script run; modules and functions that live as long as the process need not be
    looked at again each time. What is frozen is still freed when its last reference goes; only cycles among frozen objects stay.
    """
    gc.collect()
    gc.freeze()


def thaw() -> None:
    """Put the heap back: what is frozen when Python ends is not taken apart, which some packages report as leaked, at length."""
    gc.unfreeze()
