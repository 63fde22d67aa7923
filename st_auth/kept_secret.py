"""A cookie secret for one's own computer: made at the first start, kept beside the vault, readable by its owner only."""

import base64
import os
from pathlib import Path

from st_auth.secret import Secret

__all__ = ["kept_secret"]


def kept_secret(path: Path) -> Secret[str]:
    """Return the secret in this file, made if there is none. Raises OSError or ValueError where it cannot be kept or read."""
    if not path.exists():
        _make(path)
    return Secret(path.read_text("ascii").strip())


def _make(path: Path) -> None:
    """Two processes that start at once end with the same one: it appears whole, and only where none is."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    (path.parent / ".gitignore").write_text("*\n")
    draft = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(base64.urlsafe_b64encode(os.urandom(32)).decode())
    try:
        os.link(draft, path)
    except FileExistsError:
        draft.unlink()
    except OSError:  # a file system without links
        draft.replace(path)
    else:
        draft.unlink()
