"""A cookie secret for one's own computer: whoever starts first makes it, and everybody ends with the same one."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from st_auth.kept_secret import _make, kept_secret


def test_processes_that_start_at_once_end_with_the_same_one(tmp_path):
    path = tmp_path / "st_auth" / "cookie_secret"

    with ThreadPoolExecutor(16) as pool:
        secrets = list(pool.map(lambda _: kept_secret(path).reveal(), range(64)))

    assert len(set(secrets)) == 1
    assert len(secrets[0]) >= 43
    assert sorted(p.name for p in path.parent.iterdir()) == [".gitignore", "cookie_secret"]


def test_one_that_is_there_is_never_replaced(tmp_path):
    path = tmp_path / "cookie_secret"
    before = kept_secret(path)

    _make(path)

    assert kept_secret(path) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == [".gitignore", "cookie_secret"]


def test_a_file_system_without_links_will_do(tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError

    monkeypatch.setattr(os, "link", no_links)

    assert kept_secret(tmp_path / "cookie_secret").reveal() == (tmp_path / "cookie_secret").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == [".gitignore", "cookie_secret"]


def test_where_it_cannot_be_written_the_system_says_so(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(OSError):
        kept_secret(tmp_path / "file" / "cookie_secret")
