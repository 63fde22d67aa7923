"""Where a path of somebody's may lead: below their folder, however a server or a client on the way reads it."""

import contextlib
import posixpath
import re
import unicodedata
from typing import ClassVar
from urllib.parse import unquote

import pytest
from hypothesis import given, settings, strategies as st

from st_auth.connections.files.root import Root, plain_path, root_of
from st_auth.connections.files.system import PersonalFiles
from st_auth.errors import PermissionDenied

ROOT = Root("s3", "lake", "ana/")
GOOD = [
    "orders/2026.csv",
    "a",
    ".hidden",
    "a..b/c...",
    "region=eu%20west/part-0.parquet",
    "100%.csv",
    "josé/ü.csv",
    "a b;c",
    "*",
    "{x}[y]",
    "~",
]
BAD = [
    "..",
    "../bob/me",
    "a/../../bob/me",
    ".",
    "./me",
    "a/./b",
    "/me",
    "//bob/me",
    "a//b",
    "a/",
    "s3://lake/bob/me",
    "gs://lake/bob/me",
    "https://lake.s3.amazonaws.com/bob/me",
    "file:///etc/passwd",
    "it://../bob/me",
    "\\\\bob\\me",
    "..\\bob\\me",
    "a\\..\\..\\bob",
    "%2e%2e/bob/me",
    "%2e%2e%2fbob%2fme",
    ".%252e/bob/me",
    "%25252e%25252e/bob",
    "a/%2e/b",
    "%5c..%5cbob",
    "..;/bob",
    "..;x=1/bob",
    ".. /bob",
    "%20../bob",
    "\uff0e\uff0e/bob",
    "\u2025/bob",
    "..\uff0fbob",
    "%c0%ae%c0%ae/bob",
    "me\x00",
    "me%00",
    "me\n",
    "me\r\nX: y",
    "me\t",
    "me?versionId=1",
    "me#123",
    "\ud800",
]


@pytest.mark.parametrize("path", GOOD)
def test_a_plain_path_is_the_key_below_the_root_as_it_is(path):
    assert ROOT.key(path) == f"ana/{path}"
    assert ROOT.path(f"ana/{path}") == path


@pytest.mark.parametrize("path", BAD)
def test_a32_a_path_that_could_lead_elsewhere_is_refused_with_what_to_write(path):
    with pytest.raises(ValueError, match=r'such as "orders/2026\.csv"'):
        ROOT.key(path)


@pytest.mark.parametrize("path", [None, b"me", 7, ["me"], ("me",)])
def test_a_path_that_is_no_text_is_a_type_error(path):
    with pytest.raises(TypeError, match="is a text"):
        ROOT.key(path)


def test_only_what_looks_at_a_folder_takes_the_top():
    assert ROOT.key("", top=True) == "ana/"
    with pytest.raises(ValueError, match="what stands below"):
        ROOT.key("")


@pytest.mark.parametrize("key", ["bob/me", "an/me", "ana", "ana/", "ana/../bob/me", "ana//me", "ana/a?b", "ana/\\..\\x", ""])
def test_a32_a_name_that_means_something_elsewhere_is_not_given_out(key):
    assert ROOT.path(key) is None


def test_a_text_that_says_another_thing_of_itself_is_judged_by_what_is_asked_for():
    class Evil(str):
        __slots__ = ()

        def __str__(self):
            return "../bob/me"

        def split(self, *_):
            return ["me"]

    assert plain_path(Evil("me")) == "me"
    assert type(plain_path(Evil("me"))) is str
    with pytest.raises(ValueError, match="what stands below"):
        plain_path(Evil("../bob"))


PIECES = [
    "..",
    ".",
    "/",
    "//",
    "\\",
    "%2e",
    "%2E",
    "%2f",
    "%5c",
    "%25",
    "%252e",
    ";",
    ":",
    "?",
    "#",
    "*",
    "ana",
    "bob",
    "me",
    "s3://",
    "it://",
]
PIECES += ["\uff0e", "\uff0f", "\u2025", "%ef%bc%8e", "%c0%ae", " ", "%20", "\t", "%00", "é", "lake"]
TEXTS = st.one_of(st.lists(st.sampled_from(PIECES), max_size=9).map("".join), st.text(max_size=30))


@given(TEXTS)
@settings(max_examples=1000)
def test_a32_whatever_is_asked_for_stays_below_the_root_however_it_is_read(asked):
    try:
        key = ROOT.key(asked)
    except ValueError:
        return
    assert key.startswith("ana/")
    for read in readings(key):
        assert (posixpath.normpath(read) + "/").startswith("/ana/"), read


@given(TEXTS)
@settings(max_examples=1000)
def test_a32_whatever_a_library_asks_the_file_system_for_is_a_plain_path(asked):
    def do(act):
        return act(Told())

    files = PersonalFiles("it", do, do)
    for act in (
        files.info,
        files.ls,
        files.find,
        files.cat_file,
        files.rm_file,
        lambda path: files.pipe_file(path, b""),
        files.glob,
        files.mkdir,
    ):
        with contextlib.suppress(ValueError, FileNotFoundError):
            act(asked)
    for path in Told.paths:
        assert path == "" or ROOT.key(path) == f"ana/{path}"
    Told.paths.clear()


class Told:
    """Stands for the connection: remembers what it was asked for."""

    paths: ClassVar[list[str]] = []

    def __getattr__(self, name):
        def act(path, *_, **__):
            self.paths.append(path)
            raise FileNotFoundError(2, "No such file or directory")

        return act


def readings(path):
    """The key as servers have been seen to read it: decoded up to four times, with backslashes as slashes, without `;…`, in NFKC."""
    for _ in range(5):
        for one in (path, unicodedata.normalize("NFKC", path)):
            slashed = one.replace("\\", "/")
            for read in (one, slashed, re.sub(";[^/]*", "", slashed), "/".join(part.strip() for part in slashed.split("/"))):
                yield "/" + read.lstrip("/")
        path = unquote(path, errors="replace")


# -- the root itself -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("s3://lake", Root("s3", "lake", "")),
        ("s3://lake/", Root("s3", "lake", "")),
        ("gs://lake/a/b", Root("gs", "lake", "a/b/")),
        ("s3://lake/ana%40acme.com/", Root("s3", "lake", "ana@acme.com/")),
    ],
)
def test_a_url_is_a_bucket_and_what_its_keys_begin_with(url, root):
    assert root_of("it", {"url": url}) == root


@pytest.mark.parametrize(
    "filled", ["..", "%2E%2E", "%252e%252e", "a%2Fb", "%2A", "a%3Fb", "%5C", "%00", "a%5Bb", "a//b", "/a", "%20..", "%EF%BC%8E%EF%BC%8E"]
)
def test_a32_a_claim_that_could_mean_another_folder_is_refused(filled):
    with pytest.raises(PermissionDenied) as caught:
        root_of("it", {"url": f"s3://lake/{filled}/x"})
    assert caught.value.code == "claim_unusable"


def test_a_file_system_takes_its_own_name_and_a_slash_at_the_end():
    files = PersonalFiles("it", lambda act: act(Told()), lambda act: act(Told()))
    for path in ("it://orders/", "orders"):
        with pytest.raises(FileNotFoundError) as caught:
            files.info(path)
        assert caught.value.filename == "orders"
    assert set(Told.paths) == {"orders"}
    Told.paths.clear()
