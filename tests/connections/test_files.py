"""Files keep the contract: S3 behind an STS that verifies each person's token, Google's storage behind a gateway that does."""

import copy
import gc
import io
import logging
import pickle
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from st_auth.errors import ConnectionFailed, CrossSessionError, LoginRequired, PermissionDenied
from st_auth.testing.connection_contract import ConnectionContract
from tests.connections.api_server import ApiServer
from tests.connections.lakes import FEDERATION, Builder
from tests.servers.object_stores import CLOSED_ROLE
from tests.servers.processes import wait_until

BOTH = ("s3", "gs")


@pytest.fixture
def kind():
    return "s3"


@pytest.fixture
def build(lakes, kind):
    builder = Builder(lakes, kind)
    yield builder
    builder.close()
    gc.collect()


@pytest.fixture
def ground(build):
    return build()


@pytest.fixture
def ana(ground):
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        yield live


@pytest.fixture
def lake(ground, ana):
    return ground.handle(ana)


def both(test):
    return pytest.mark.parametrize("kind", BOTH)(test)


class TestS3(ConnectionContract):
    checks = 150  # SeaweedFS takes a tenth of a second for each person's keys
    share = 0.03


class TestGCS(ConnectionContract):
    checks = 600
    share = 0.03

    @pytest.fixture
    def kind(self):
        return "gs"


class TestFederatedGCS(ConnectionContract):
    checks = 400
    share = 0.02

    @pytest.fixture
    def ground(self, lakes):
        builder = Builder(lakes, "gs")
        yield builder(**FEDERATION)
        builder.close()


def failed(act, *arguments):
    with pytest.raises(ConnectionFailed) as caught:
        act(*arguments)
    return caught.value


# -- the verbs -----------------------------------------------------------------------------------------------------------------


@both
def test_a_file_is_written_read_listed_found_and_deleted(lake, build):
    lake.write_bytes("verbs/2026/ö.csv", b"a,b\n1,2\n")

    assert lake.read_bytes("verbs/2026/ö.csv") == b"a,b\n1,2\n"
    assert build.server.get("ana/verbs/2026/ö.csv") == b"a,b\n1,2\n"
    assert lake.ls("verbs") == ["verbs/2026"]
    assert "verbs" in lake.ls()
    assert lake.ls("verbs/2026") == lake.ls("verbs/2026/ö.csv") == lake.glob("verbs/**/*.csv") == ["verbs/2026/ö.csv"]
    assert (lake.exists("verbs/2026/ö.csv"), lake.exists("verbs"), lake.exists("verbs/2025")) == (True, True, False)
    info = lake.info("verbs/2026/ö.csv")
    assert (info["name"], info["size"], info["type"], lake.info("verbs")["type"]) == ("verbs/2026/ö.csv", 8, "file", "directory")
    assert abs((datetime.now(UTC) - info["mtime"]).total_seconds()) < 60

    lake.rm("verbs/2026/ö.csv")
    assert not lake.exists("verbs/2026/ö.csv")


@both
def test_a_folder_is_deleted_only_with_the_word_for_it_and_everything_never(lake):
    for name in ("f/a", "f/b/c"):
        lake.write_bytes(name, b"1")
    with pytest.raises(IsADirectoryError, match="recursive=True"):
        lake.rm("f")
    with pytest.raises(ValueError, match="what stands below the url"):
        lake.rm("", recursive=True)
    lake.rm("f", recursive=True)
    assert lake.filesystem.find("f") == []
    assert lake.read_bytes("me") == b"ana"


@both
@pytest.mark.parametrize("act", ["read_bytes", "info", "rm", "open", "ls"])
def test_what_is_not_there_is_what_python_has_for_it_with_the_path_as_it_was_given(lake, act):
    with pytest.raises(FileNotFoundError) as caught:
        getattr(lake, act)("no/such.csv")
    assert caught.value.filename == "no/such.csv"
    assert caught.value.__cause__ is None


def test_nobodys_root_is_empty_and_there(lakes, ground):
    lakes.issuer.people["new"] = {"name": "New"}
    live = ground.log_in("new")
    with ground.runs.of(live.login_id):
        assert ground.handle(live).ls() == []
        assert ground.handle(live).filesystem.isdir("")


@both
def test_many_files_are_listed_page_by_page_and_read_at_once(lake, build):
    for number in range(1005):
        build.server.put(f"ana/many/{number:04d}", b"%d" % number)
    assert len(lake.ls("many")) == 1005
    assert len(lake.filesystem.find("many")) == 1005


def test_another_role_is_asked_for_in_the_section_and_not_here(ground, ana):
    with pytest.raises(TypeError, match="role_arn"):
        ground.handle(ana, "Auditor")


def test_a_verb_that_there_is_not_says_which_there_are(lake):
    with pytest.raises(
        AttributeError, match="it has close, exists, filesystem, forget_login, glob, info, ls, name, open, raw, read_bytes, rm, write_bytes"
    ):
        lake.cat_file("me")


# -- the libraries -------------------------------------------------------------------------------------------------------------

ROWS = {"region": ["eu", "us", "eu"], "amount": [1, 20, 300]}


@both
def test_pandas_polars_pyarrow_and_duckdb_write_and_read(lake):
    files, frame = lake.filesystem, pd.DataFrame(ROWS)
    with lake.open("lib/a.csv", "w", encoding="utf-8", newline="") as file:
        frame.to_csv(file, index=False)
    frame.to_parquet("lib/b.parquet", filesystem=files)
    with lake.open("lib/c.parquet", "wb") as file:
        pl.DataFrame(ROWS).write_parquet(file)
    pq.write_to_dataset(pa.table(ROWS), "lib/d", filesystem=files, partition_cols=["region"])

    with lake.open("lib/a.csv") as file:
        assert pd.read_csv(file).equals(frame)
    with lake.open("lib/a.csv", "r") as file:
        assert file.readlines() == ["region,amount\n", "eu,1\n", "us,20\n", "eu,300\n"]
    assert pd.read_parquet("lib/b.parquet", filesystem=files).equals(frame)
    assert pd.read_parquet("lib/c.parquet", filesystem=files)["amount"].sum() == 321
    with lake.open("lib/c.parquet") as file:
        assert pl.read_parquet(file)["amount"].sum() == 321
    parts = ds.dataset("lib/d", filesystem=files, partitioning="hive")
    assert parts.to_table(filter=ds.field("region") == "eu").column("amount").to_pylist() == [1, 300]
    with duckdb.connect() as own:
        own.register_filesystem(files)
        assert own.sql("select sum(amount) from 'it://lib/*.parquet'").fetchall() == [(642,)]
    assert all(path.startswith("lib/") for path in files.find("lib"))


def test_a_file_that_is_packed_is_read_as_it_was(lake):
    import gzip

    lake.write_bytes("packed/a.csv.gz", gzip.compress(b"a\n1\n"))
    with lake.filesystem.open("packed/a.csv.gz", "rt", compression="infer") as file:
        assert file.read() == "a\n1\n"
    with pytest.raises(ValueError, match="not compressed"):
        lake.filesystem.open("packed/b.csv.gz", "wb", compression="gzip")


@both
def test_a_file_is_read_by_lines_pieces_and_places(lake):
    lake.write_bytes("lines", b"one\ntwo\nthree")
    with lake.open("lines") as file:
        assert list(file) == [b"one\n", b"two\n", b"three"]
        assert (file.seek(4), file.read(3), file.tell(), file.read1(1)) == (4, b"two", 7, b"\n")
        assert (file.readline(2), file.readline(), file.readline()) == (b"th", b"ree", b"")
    with pytest.raises(ValueError, match="closed"):
        file.read()
    files = lake.filesystem
    assert (files.cat_file("lines", 4, 7), files.cat_file("lines", -5), files.cat_file("lines", 3, 3)) == (b"two", b"three", b"")


@both
def test_a_large_file_goes_in_pieces_and_comes_back_the_same(lake, ground):
    content = bytes(range(256)) * 80_000
    with lake.open("large/a", "wb") as file:
        for start in range(0, len(content), 3_000_000):
            file.write(content[start : start + 3_000_000])
    lake.write_bytes("large/b", content)
    lake.filesystem.copy("large/a", "large/c")

    assert lake.read_bytes("large/a") == lake.read_bytes("large/b") == lake.read_bytes("large/c") == content
    with lake.filesystem.open("large/a", block_size=1_000_000) as file:
        assert file.read() == content


@both
def test_a_mode_that_would_change_a_part_is_refused(lake):
    for mode in ("a", "ab", "r+", "wb+", "", "z", None):
        with pytest.raises(ValueError, match="as a whole"):
            lake.open("me", mode)
    with lake.open("me") as file, pytest.raises(io.UnsupportedOperation):
        file.write(b"x")


@both
def test_with_mode_x_nothing_is_written_over(lake):
    lake.write_bytes("x/a", b"first")
    with pytest.raises(ConnectionFailed) as caught, lake.open("x/a", "xb") as file:
        file.write(b"second")
    assert caught.value.code == "file_changed"
    assert lake.read_bytes("x/a") == b"first"
    lake.rm("x/a")
    with lake.open("x/a", "x") as file:
        file.write("third")
    assert lake.read_bytes("x/a") == b"third"


@both
def test_an_open_file_is_of_one_writing_from_its_beginning_to_its_end(lake):
    lake.write_bytes("one/a", b"x" * 100)
    with lake.filesystem.open("one/a", block_size=10) as file:
        assert file.read(10) == b"x" * 10
        lake.write_bytes("one/a", b"y" * 100)
        assert failed(lambda: file.seek(80) and file.read(10)).code == "file_changed"


# -- whose it is: an open file, a file system ------------------------------------------------------------------------------------


@both
def test_a32_each_person_has_only_their_own_whatever_the_section_says(build, kind):
    ground = build(url=f"{kind}://lake/ana")
    live = ground.log_in("bob")
    with ground.runs.of(live.login_id):
        lake = ground.handle(live)
        acts = (
            lambda: lake.read_bytes("me"),
            lake.ls,
            lambda: lake.write_bytes("me", b"bob was here"),
            lambda: lake.rm("me"),
            lambda: lake.open("me"),
            lambda: lake.glob("*"),
            lambda: lake.exists("me"),
        )
        assert {failed(act).code for act in acts} == {"not_allowed"}
    assert build.server.get("ana/me") == b"ana"


@both
def test_a17_a_file_and_a_file_system_work_in_threads_of_a_librarys_own_for_the_person_who_took_them(ground, ana, lake):
    files, bob = lake.filesystem, ground.log_in("bob")
    with lake.open("me") as file, ThreadPoolExecutor(1) as threads:
        assert threads.submit(lambda: (files.cat_file("me"), file.read())).result() == (b"ana", b"ana")
        with pytest.raises(CrossSessionError):
            threads.submit(lambda: lake.read_bytes("me")).result()
    with lake.open("me") as file, ground.runs.of(bob.login_id, shared=True):
        for act in (lambda: files.cat_file("me"), file.read):
            with pytest.raises((TypeError, CrossSessionError)):
                act()


@both
def test_a32_an_open_file_ends_with_the_login(ground, ana, lake):
    files, file, text = lake.filesystem, lake.open("me"), lake.open("me", "r")
    lines = lake.filesystem.open("me", block_size=1)
    assert file.read(1) == lines.read(1) == b"a"

    ground.log_out(ana)

    for act in (file.read, file.readline, text.read, lines.read, lambda: next(file), lambda: files.info("me"), lambda: files.exists("me")):
        with pytest.raises(LoginRequired) as caught:
            act()
        assert caught.value.code == "session_ended"
    for one in (file, text, lines):
        one.close()


@both
def test_a32_what_is_on_its_way_when_the_login_ends_is_stopped_at_once(ground, ana, lake):
    assert lake.read_bytes("me") == b"ana"
    begun, go_on = threading.Event(), threading.Event()

    def wait(asked):
        begun.set()
        go_on.wait(20)

    def read():
        with ground.runs.of(ana.login_id):
            return lake.read_bytes("me")

    ground.gateway.wait_before = wait
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(read)
        assert begun.wait(20)
        ground.log_out(ana)
        with pytest.raises(LoginRequired):
            reading.result(10)
        go_on.set()


@both
def test_a16_neither_can_be_hashed_copied_pickled_or_written_down(lake):
    for held in (lake.filesystem, lake.open("me"), lake.open("me", "r"), lake.raw):
        for act in (hash, copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError):
                act(held)
    with pytest.raises(NotImplementedError, match="transaction"):
        lake.filesystem.transaction  # noqa: B018 - to look at it is to begin one
    for act in (lake.filesystem.to_json, lake.filesystem.to_dict, lake.filesystem.__dask_tokenize__):
        with pytest.raises(TypeError, match="shown to everybody"):
            act()
    with pytest.raises(NotImplementedError, match="outlive"):
        lake.filesystem.sign("me")


@both
def test_a16_a_function_that_is_cached_for_everybody_gets_neither_the_file_system_nor_an_open_file(ground, ana, lake):
    files, file = lake.filesystem, lake.open("me")
    with ground.runs.of(ana.login_id, shared=True):
        for act in (lambda: lake.filesystem, lambda: files.cat_file("me"), file.read, lambda: lake.open("me")):
            with pytest.raises(TypeError, match="shown to everybody"):
                act()


@both
def test_a32_no_file_system_is_kept_where_somebody_else_could_get_it(ground, lake):
    import fsspec

    bob = ground.log_in("bob")
    mine, raw = lake.filesystem, lake.raw
    with ground.runs.of(bob.login_id):
        theirs, their_raw = ground.handle(bob).filesystem, ground.handle(bob).raw
        assert theirs.cat_file("me") == b"bob"
    assert mine is not theirs
    assert mine != theirs
    assert raw is not their_raw
    for one in {type(mine), *type(raw).__mro__}:
        assert not any(kept is held for kept in getattr(one, "_cache", {}).values() for held in (mine, raw, theirs, their_raw))
    assert "it" not in fsspec.available_protocols()


@both
def test_a32_two_people_at_once_write_and_read_their_own(ground):
    people = {name: ground.log_in(name) for name in ("ana", "bob", "cyd")}

    def work(number):
        name = list(people)[number % 3]
        with ground.runs.of(people[name].login_id):
            lake = ground.handle(people[name])
            with lake.open(f"canary/{number}", "w") as file:
                file.write(f"{name} {number}")
            with lake.open(f"canary/{number}", "r") as file:
                assert file.read() == f"{name} {number}"
            return {lake.read_bytes(path).decode().split()[0] for path in lake.ls("canary")} == {name}

    with ThreadPoolExecutor(12) as threads:
        assert set(threads.map(work, range(48))) == {True}


# -- nothing is written by half ------------------------------------------------------------------------------------------------


def unfinished(ground):
    """What was begun and neither finished nor aborted, as the gateway saw it."""
    acts = [(asked.method, asked.query) for asked in ground.gateway.asked]
    if "s3" in str(type(ground.gateway)).lower():
        begun = sum(method == "POST" and "uploads" in asked.path for asked in ground.gateway.asked for method in [asked.method])
        ended = sum("uploadId" in query and method in ("DELETE", "POST") for method, query in acts)
    else:
        begun = sum(query.get("uploadType") == "resumable" and method == "POST" for method, query in acts)
        ended = sum("upload_id" in query and method == "DELETE" for method, query in acts)
    return begun - ended


@both
@pytest.mark.parametrize("size", [10, 20_000_000])
@pytest.mark.parametrize("mode", ["wb", "w"])
def test_a_block_that_raises_leaves_nothing(lake, ground, build, size, mode):
    with pytest.raises(KeyError), lake.open("half/raised", mode) as file:
        file.write("x" * size if mode == "w" else b"x" * size)
        raise KeyError("no such column")
    assert build.server.get("ana/half/raised") is None
    assert unfinished(ground) == 0


@both
@pytest.mark.parametrize("size", [10, 20_000_000])
def test_a_login_that_ends_while_a_file_is_written_leaves_nothing(lake, ground, ana, build, size):
    with pytest.raises(LoginRequired), lake.open("half/ended", "wb") as file:
        file.write(b"x" * size)
        ground.log_out(ana)
    ground.core.pool._closing.close()
    assert build.server.get("ana/half/ended") is None
    assert unfinished(ground) == 0


def test_a_piece_that_is_refused_leaves_nothing_whatever_is_done_with_the_file_then(lake, ground, build):
    file = lake.open("half/refused", "wb")
    file.write(b"x" * 9_000_000)
    ground.end_at_server("ana")
    ground.gateway.no_roles = "AccessDenied"
    assert failed(file.write, b"y" * 9_000_000).code == "role_not_granted"
    ground.gateway.no_roles = ""

    with pytest.raises(ValueError, match="closed"):
        file.write(b"z")
    file.close()
    assert build.server.get("ana/half/refused") is None


@both
@pytest.mark.parametrize("mode", ["wb", "w"])
def test_a_file_that_is_forgotten_leaves_nothing(lake, ground, build, mode):
    file = lake.open("half/forgotten", mode)
    file.write("x" * 9_000_000 if mode == "w" else b"x" * 9_000_000)
    del file
    gc.collect()
    wait_until(lambda: unfinished(ground) == 0, "the abortion of the upload")
    assert build.server.get("ana/half/forgotten") is None


def test_an_upload_whose_connection_was_closed_is_told_and_leaves_nothing(lake, ground, build):
    with pytest.raises(ConnectionFailed) as caught, lake.open("half/closed", "wb") as file:
        file.write(b"x" * 9_000_000)
        lake.close()
        ground.core.pool._closing.close()
        file.write(b"x" * 9_000_000)
    assert caught.value.code == "closed"
    assert build.server.get("ana/half/closed") is None


def test_a_file_open_for_reading_goes_on_after_its_connection_was_closed(lake):
    with lake.filesystem.open("me", block_size=1) as file:
        assert file.read(1) == b"a"
        lake.close()
        assert file.read() == b"na"


# -- renewal -----------------------------------------------------------------------------------------------------------------


@both
def test_what_the_server_takes_no_more_is_renewed_while_a_file_is_open(lake, ground, ana):
    lake.write_bytes("renewed/a", bytes(range(100)))
    with lake.filesystem.open("renewed/a", block_size=10) as file, lake.open("renewed/b", "wb") as there:
        assert file.read(10) == bytes(range(10))
        there.write(b"x" * 9_000_000)
        ground.end_at_server("ana")
        assert file.read() == bytes(range(10, 100))
        there.write(b"y" * 9_000_000)
        ground.end_at_server("ana")
    assert getattr(ground.gateway, "assumed", 3) == 3
    assert lake.info("renewed/b")["size"] == 18_000_000


def test_keys_are_renewed_before_they_expire_also_while_a_file_is_open(build):
    ground = build()
    ground.gateway.lifetime = 1.0
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        lake = ground.handle(live)
        with lake.filesystem.open("me", block_size=1) as file:
            wait_until(lambda: file.seek(0) == 0 and lake.read_bytes("me") == file.read() and ground.gateway.assumed >= 4, "renewals")
    assert ground.gateway.assumed < 50


def test_tokens_from_federation_are_renewed_before_they_expire(lakes):
    builder = Builder(lakes, "gs")
    ground = builder(**FEDERATION)
    ground.gateway.lifetime = 1
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        lake = ground.handle(live)
        wait_until(lambda: lake.read_bytes("me") == b"ana" and ground.gateway.exchanges >= 3, "renewals")
    builder.close()


def test_nobody_waits_for_a_provider_in_the_loop_of_the_drivers(build, lakes):
    """While ana's provider thinks about a token, bob reads."""
    ground = build()
    ana, bob = ground.log_in("ana"), ground.log_in("bob")
    for live, name in ((ana, b"ana"), (bob, b"bob")):
        with ground.runs.of(live.login_id):
            assert ground.handle(live).read_bytes("me") == name
    ground.end_at_server("ana")
    lakes.issuer.claims = {"exp": int(time.time()) - 30}
    thinking, go_on = threading.Event(), threading.Event()

    def slow(request):
        thinking.set()
        go_on.wait(20)
        lakes.issuer.answers.pop("/token")
        return lakes.issuer.handle(request)

    expired = ground.renew(ana)
    assert expired.id_token
    lakes.issuer.claims = None
    lakes.issuer.answers["/token"] = slow

    def read():
        with ground.runs.of(ana.login_id):
            return ground.handle(ana).read_bytes("me")

    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(read)
        assert thinking.wait(20)
        with ground.runs.of(bob.login_id):
            assert ground.handle(bob).read_bytes("me") == b"bob"
        go_on.set()
        assert reading.result() == b"ana"


def test_an_id_token_that_has_expired_is_renewed_by_a_refresh(build, lakes):
    ground = build()
    lakes.issuer.claims = {"exp": int(time.time()) - 30}
    live = ground.log_in("ana")
    lakes.issuer.claims, refreshes = None, lakes.issuer.refresh_count

    with ground.runs.of(live.login_id):
        assert ground.handle(live).read_bytes("me") == b"ana"
    assert lakes.issuer.refresh_count == refreshes + 1


def test_a_provider_that_renews_no_id_token_is_told_as_what_it_is(build, lakes):
    ground = build()
    lakes.issuer.claims = {"exp": int(time.time()) - 30}
    live = ground.log_in("ana")
    lakes.issuer.claims, lakes.issuer.tokens = None, {"id_token": None}

    with ground.runs.of(live.login_id):
        error = failed(lambda: ground.handle(live).read_bytes("me"))
    assert error.code == "token_not_accepted"
    assert "no ID token that is still valid" in str(error)
    assert ground.gateway.assumed == 0


def test_with_token_access_sts_gets_the_access_token(build, lakes):
    ground = build(token="access")
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        error = failed(lambda: ground.handle(live).read_bytes("me"))
    sent = [asked.body for asked in ground.gateway.asked if asked.path == "/"]
    assert error.code in ("token_not_accepted", "role_not_granted")
    assert all(ground.core.grants.tokens(live).id_token.reveal().encode() not in body for body in sent)


# -- what may fail -------------------------------------------------------------------------------------------------------------


def refusals(build, **more):
    ground = build(**more)
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        return ground, failed(lambda: ground.handle(live).read_bytes("me"))


def test_a_role_whose_trust_policy_does_not_fit_is_told_to_the_administrator(build):
    _, error = refusals(build, role_arn=CLOSED_ROLE)
    assert (error.code, "trust policy" in error.hint) == ("role_not_granted", True)


@pytest.mark.parametrize(
    ("code", "means", "times"),
    [
        ("InvalidIdentityToken", "token_not_accepted", 2),
        ("ExpiredTokenException", "token_not_accepted", 2),
        ("IDPRejectedClaim", "token_not_accepted", 2),
        ("AccessDenied", "role_not_granted", 1),
        ("ValidationError", "role_not_granted", 1),
        ("RegionDisabledException", "unreachable", 1),
    ],
)
def test_what_sts_says_is_told_in_the_persons_words_after_another_token_where_that_may_help(lakes, build, code, means, times):
    ground = build()
    ground.gateway.no_roles = code
    live = ground.log_in("ana")
    refreshes = lakes.issuer.refresh_count
    with ground.runs.of(live.login_id):
        error = failed(lambda: ground.handle(live).read_bytes("me"))
        assert failed(lambda: ground.handle(live).read_bytes("me")) is error
    assert (error.code, ground.gateway.assumed, lakes.issuer.refresh_count - refreshes) == (means, times, times - 1)
    assert error.hint


def test_keys_that_are_not_to_be_had_again_are_not_asked_for_at_each_read(lake, ground):
    assert lake.read_bytes("me") == b"ana"
    ground.end_at_server("ana")
    ground.gateway.no_roles = "AccessDenied"
    for _ in range(4):
        assert failed(lambda: lake.read_bytes("me")).code == "role_not_granted"
    assert ground.gateway.assumed == 2


def test_a_pool_that_does_not_take_the_token_and_an_account_that_is_not_the_persons_are_told_apart(lakes):
    builder = Builder(lakes, "gs")
    elsewhere = {**FEDERATION, "workload_identity": "//iam.googleapis.com/projects/2/locations/global/workloadIdentityPools/x/providers/y"}
    assert refusals(builder, **elsewhere)[1].code == "token_not_accepted"

    ground = builder(**FEDERATION, service_account="lake@acme.iam.gserviceaccount.com")
    ana, bob = ground.log_in("ana"), ground.log_in("bob")
    with ground.runs.of(ana.login_id):
        assert ground.handle(ana).read_bytes("me") == b"ana"
    ground.gateway.may_impersonate = False
    with ground.runs.of(bob.login_id):
        assert failed(lambda: ground.handle(bob).read_bytes("me")).code == "role_not_granted"
    builder.close()


@both
def test_a_storage_that_does_not_answer_is_unreachable(lake, ground):
    assert lake.read_bytes("me") == b"ana"
    ground.gateway.stop()
    ground.gateway._server.socket.close()
    lake.close()
    assert failed(lambda: lake.read_bytes("me")).code == "unreachable"


@pytest.mark.parametrize("claim", ["..", "a/../bob", "*", "%2e%2e", "bob?x", "a\\b", "\u2025", "a//b", "/", "bob/"])
def test_a32_a_claim_that_could_be_read_as_another_folder_opens_nothing(build, lakes, claim):
    ground = build(url="s3://lake/{preferred_username}")
    lakes.issuer.people["ana"]["preferred_username"] = claim
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id), pytest.raises(PermissionDenied) as caught:
        ground.handle(live).read_bytes("me")
    assert caught.value.code in ("claim_missing", "claim_unusable")
    assert ground.gateway.asked == []


@pytest.mark.parametrize("claim", ["x/../Admin", "a:b", "a b", "/"])
def test_a32_a_claim_that_would_be_more_than_a_part_of_the_role_opens_nothing(build, lakes, claim):
    ground = build(role_arn="arn:aws:iam::role/{team}")
    lakes.issuer.people["ana"]["team"] = claim
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id), pytest.raises(PermissionDenied) as caught:
        ground.handle(live).read_bytes("me")
    assert caught.value.code == "claim_unusable"
    assert ground.gateway.asked == []


def test_a_claim_with_signs_of_its_own_is_the_folder_that_the_store_knows(build, lakes):
    ground = build(url="s3://lake/ana/{email}/")
    lakes.issuer.people["ana"]["email"] = "ana+1@acme.com"
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        ground.handle(live).write_bytes("a", b"1")
    assert build.server.get("ana/ana+1@acme.com/a") == b"1"


# -- what nobody may see -------------------------------------------------------------------------------------------------------


@both
def test_no_token_no_key_and_no_signature_is_in_any_log_repr_or_traceback(build, lakes, kind, caplog):
    caplog.set_level(logging.DEBUG)
    ground = build()
    live = ground.log_in("ana")
    texts = []
    with ground.runs.of(live.login_id):
        lake = ground.handle(live)
        raw = lake.raw
        with lake.open("me") as file:
            texts += [repr(one) for one in (lake, lake.filesystem, file, raw, raw.__dict__, lake.filesystem.__dict__, file.__dict__)]
        ground.end_at_server("ana")
        lake.write_bytes("secret/a", b"x" * 9_000_000)
        ground.gateway.takes_nobody = True
        ground.gateway.refused_with = "ExpiredToken"
        ground.gateway.no_roles = "InvalidIdentityToken"
        ground.end_at_server("ana")
        lake.filesystem.invalidate_cache()
        acts = [lambda: lake.read_bytes("me"), lambda: raw.cat_file("lake/ana/me"), lambda: raw.ls("lake/bob")]
        acts += [lambda: lake.close() or lake.read_bytes("me"), lambda: lake.read_bytes("me")]
        for act in acts:
            with pytest.raises(Exception) as caught:
                act()
            texts += [repr(one) for one in _chain(caught.value)]
            texts += ["".join(traceback.format_exception(caught.value)), *_locals(caught.value)]
    said = "\n".join([*texts, *(record.getMessage() + str(record.exc_text) for record in caplog.records)])
    secret = _secrets(ground, live)
    assert len(secret) >= (4 if kind == "s3" else 3)
    assert [where for where in secret if secret[where] in said] == []
    assert "s3cret-session-token" not in said


def _secrets(ground, live):
    tokens = ground.core.grants.tokens(live)
    found = {"access": tokens.access_token.reveal(), "id": tokens.id_token.reveal()}
    for number, asked in enumerate(ground.gateway.asked):
        header = asked.headers.get("authorization", "")
        found |= {f"signature {number}": header.rpartition("Signature=")[2]} if "Signature=" in header else {}
        found |= {f"bearer {number}": header.removeprefix("Bearer ")} if header.startswith("Bearer ") else {}
        found |= {f"upload {number}": asked.query["upload_id"]} if "upload_id" in asked.query else {}
        found |= {f"session {number}": asked.headers["x-amz-security-token"]} if "x-amz-security-token" in asked.headers else {}
    return found


def _chain(error):
    while error is not None:
        yield error
        yield vars(error)
        error = error.__cause__ or error.__context__


def _locals(error):
    """What a page with a traceback could show of the frames of ours and of the drivers that are still held."""
    for one in _chain(error):
        trace = getattr(one, "__traceback__", None)
        while trace is not None:
            if "/tests/" not in trace.tb_frame.f_code.co_filename:
                yield repr(trace.tb_frame.f_locals)
            trace = trace.tb_next


def test_nothing_of_the_machines_own_opens_s3(build, monkeypatch, tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(
        "[default]\nregion = mars-1\nendpoint_url = http://127.0.0.1:9\ns3 =\n  addressing_style = virtual\n"
    )
    (tmp_path / ".aws" / "credentials").write_text("[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = x\n")
    with ApiServer() as machine:
        settings = {
            "HOME": str(tmp_path),
            "AWS_ACCESS_KEY_ID": "AKIAENV",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_PROFILE": "nobody",
            "AWS_ENDPOINT_URL": machine.origin,
            "AWS_ENDPOINT_URL_S3": machine.origin,
            "AWS_ENDPOINT_URL_STS": machine.origin,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": machine.origin,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": machine.origin,
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        ground = build()
        live = ground.log_in("ana")
        with ground.runs.of(live.login_id):
            assert ground.handle(live).read_bytes("me") == b"ana"
            ground.gateway.no_roles = "AccessDenied"
            ground.end_at_server("ana")
            assert failed(lambda: ground.handle(live).read_bytes("me")).code == "role_not_granted"
        assert machine.seen == []
    signed = [asked.headers.get("authorization", "") for asked in ground.gateway.asked]
    assert not any("AKIA" in header for header in signed)
    assert {asked.headers.get("authorization") for asked in ground.gateway.asked if asked.path == "/"} == {None}


def test_nothing_of_the_machines_own_opens_google(lakes, monkeypatch, tmp_path):
    key = tmp_path / "key.json"
    key.write_text('{"type": "authorized_user", "client_id": "x", "client_secret": "x", "refresh_token": "x"}')
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login machine password machine\n")
    builder = Builder(lakes, "gs")
    with ApiServer() as machine:
        settings = {
            "HOME": str(tmp_path),
            "NETRC": str(tmp_path / ".netrc"),
            "GOOGLE_APPLICATION_CREDENTIALS": str(key),
            "STORAGE_EMULATOR_HOST": machine.origin,
            "GCE_METADATA_HOST": machine.origin.removeprefix("http://"),
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        for more in ({}, FEDERATION):
            ground = builder(**more)
            live = ground.log_in("ana")
            with ground.runs.of(live.login_id):
                assert ground.handle(live).read_bytes("me") == b"ana"
                ground.gateway.takes_nobody = True
                assert failed(ground.handle(live).open, "me").code == "token_not_accepted"
            sent = {asked.headers.get("authorization", "").partition(" ")[0] for asked in ground.gateway.asked}
            assert sent <= {"Bearer", ""}
        assert machine.seen == []
    builder.close()


@both
def test_no_proxy_of_the_machines_gets_what_goes_to_this_machine_in_plain_text(build, monkeypatch):
    ground = build()
    live = ground.log_in("ana")
    with ApiServer() as machine, ground.runs.of(live.login_id):
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, machine.origin)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "")
        assert ground.handle(live).read_bytes("me") == b"ana"
        assert machine.seen == []


@both
def test_a32_the_end_of_the_login_closes_the_persons_own_sockets(ground, ana, lake):
    assert lake.read_bytes("me") == b"ana"
    raw = lake.raw
    bob = ground.log_in("bob")
    with ground.runs.of(bob.login_id):
        their_raw = ground.handle(bob).raw

    ground.log_out(ana)
    ground.core.pool._closing.close()

    with pytest.raises(RuntimeError, match="closed"):
        raw.cat_file("lake/ana/me")
    assert their_raw.cat_file("lake/bob/me") == b"bob"
