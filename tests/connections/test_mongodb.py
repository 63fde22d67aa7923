"""MongoDB keeps the contract: PyMongo itself, at a server that lets each person in by their token and shows them their own documents."""

import gc
import logging
import threading
import time
import traceback
import types
from contextlib import suppress
from datetime import UTC, datetime

import bson
import httpx2
import pymongo
import pytest
from streamlit.testing.v1 import AppTest

from st_auth import streamlit_facts as facts
from st_auth.clock import SYSTEM, Clock
from st_auth.config import ConnectionConfig
from st_auth.connections.mongodb import Refused, Tokens
from st_auth.connections.mongodb.handle import _guarded
from st_auth.connections.opening import Opening
from st_auth.errors import ConnectionFailed, CrossSessionError, LoginRequired, PermissionDenied, Unavailable
from st_auth.secret import Secret
from st_auth.testing import FakeIssuer
from st_auth.testing.connection_contract import ConnectionContract
from tests.connections.grounds import TokenGround, builder
from tests.servers.mongodb_server import APP_PASSWORD, AUDIENCE, MongoDBServer
from tests.servers.processes import LOOPBACK, free_port, wait_until

PEOPLE = {name: {"name": name.title(), "tenant": "crm"} for name in ("ana", "bob", "cyd")}


@pytest.fixture(scope="module")
def _running(tmp_path_factory):
    with FakeIssuer(serve=True, audience=AUDIENCE, people=PEOPLE) as issuer:
        server = MongoDBServer(tmp_path_factory.mktemp("mongodb"), issuer=issuer.issuer, jwks_uri=f"{issuer.issuer}/jwks")
        with server:
            yield issuer, server


@pytest.fixture
def issuer(_running):
    issuer = _running[0]
    issuer.audience, issuer.lifetime, issuer.person, issuer.tokens = AUDIENCE, 3600, "ana", None
    issuer.answers.clear()
    issuer.people.clear()
    issuer.people.update({name: dict(claims) for name, claims in PEOPLE.items()})
    return issuer


@pytest.fixture
def server(_running):
    server = _running[1]
    server.behave()
    return server


class MongoGround(TokenGround):
    def __init__(self, issuer, server, section):
        self.server = server
        super().__init__(issuer, section)

    def who(self, handle):
        return handle["people"].find_one()["owner"]

    def live(self):
        """The server notices a moment later that somebody has hung up."""
        with suppress(AssertionError):
            wait_until(lambda: not self.server.live(), "nobody is left", seconds=5)
        return self.server.live()

    def end_at_server(self, person):
        self.server.expire(person)


@pytest.fixture
def build(issuer, server):
    def made(section=None, **more):
        return MongoGround(issuer, server, {**(section or server.section()), **more})

    with builder(made) as build:
        yield build


@pytest.fixture
def ground(build):
    return build()


class TestMongoDB(ConnectionContract):
    checks = 400
    share = 0.04


class AppGround(MongoGround):
    """The app's own login: to the server all are the app, and each person's claim leads to a database of theirs."""

    def __init__(self, issuer, server):
        for name in PEOPLE:
            server.ask({"update": "me", "updates": [{"q": {"_id": 1}, "u": {"owner": name}, "upsert": True}]}, f"of_{name}")
        super().__init__(issuer, server, server.app_section(database="of_{sub}", rules="engine"))

    def who(self, handle):
        return handle["me"].find_one()["owner"]

    def end_at_server(self, person):
        self.server.expire("app", "drop")

    def refuse(self):
        self.server.behave(refuse_passwords=True)


class TestMongoDBWithTheLoginOfTheApp(ConnectionContract):
    test_a17_a32_two_hundred_people_in_sixty_four_threads_never_cross = None  # the other class has the crowd

    @pytest.fixture
    def ground(self, issuer, server):
        ground = AppGround(issuer, server)
        yield ground
        ground.close()


class OwnGround(MongoGround):
    """Each person's own name and password, which they have given."""

    def __init__(self, issuer, server):
        section = {key: value for key, value in server.section(login="own").items() if key != "token_from"}
        super().__init__(issuer, server, section)

    def log_in(self, person):
        live = super().log_in(person)
        self.give(live, person, f"pw-{person}")
        return live

    def give(self, live, person, password):
        given = self.core.pool.verify_login(live, self.core.pool.config("it"), person, Secret(password))
        assert self.core.pool.keep_login(live, given)

    def end_at_server(self, person):
        self.server.expire(person, "drop")


class TestMongoDBWithALoginOfTheirOwn(ConnectionContract):
    test_a17_a32_two_hundred_people_in_sixty_four_threads_never_cross = None  # the first class has the crowd
    test_a_server_that_refuses_is_told_without_any_token = None  # that asks for another password, below

    @pytest.fixture
    def ground(self, issuer, server):
        ground = OwnGround(issuer, server)
        yield ground
        ground.close()


def test_a_password_of_their_own_that_is_good_no_more_is_asked_for_again(issuer, server):
    ground = OwnGround(issuer, server)
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        docs = ground.handle(live)
        assert ground.who(docs) == "ana"
        server.behave(refuse_passwords=True)
        server.expire("ana", "drop")
        with pytest.raises(LoginRequired) as caught:
            docs.query("orders")
        assert caught.value.code == "login_needed"
        assert "pw-ana" not in told(caught.value)
        server.behave()
        error = failed(ground.give, live, "ana", "pw-of-somebody")
        assert error.code == "login_refused"
        assert "pw-of-somebody" not in told(error)
        ground.give(live, "ana", "pw-ana")
        assert ground.who(docs) == "ana"
    ground.close()


@pytest.fixture
def ana(ground):
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        yield live


@pytest.fixture
def docs(ground, ana):
    return ground.handle(ana)


def failed(act, *arguments, **named):
    with pytest.raises(ConnectionFailed) as caught:
        act(*arguments, **named)
    assert str(caught.value).startswith("The connection “it” failed: ")
    assert caught.value.hint
    return caught.value


# -- documents ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_", ["pandas", "polars", "arrow"])
def test_documents_come_as_the_frame_that_was_asked_for(docs, as_):
    frame = docs.query("orders", {"amount": {"$gte": 0}}, projection={"_id": 0, "amount": 1}, sort=[("amount", -1)], limit=1, as_=as_)

    assert type(frame).__module__.split(".")[0] == {"arrow": "pyarrow"}.get(as_, as_)
    assert frame.shape == (1, 1)
    assert list(frame["amount"].to_pylist() if as_ == "arrow" else frame["amount"]) == [200]


def test_each_person_sees_their_own_documents(ground, docs):
    bob = ground.log_in("bob")
    assert docs.query("orders")["amount"].tolist() == [0, 200]
    with ground.runs.of(bob.login_id):
        assert ground.handle(bob).query("orders")["amount"].tolist() == [100]


def test_what_was_found_is_kept_for_as_long_as_was_said_and_for_this_login_alone(ground, docs, server):
    before = server.facts()["seen"]["find"]
    first, second = (docs.query("orders", {"amount": {"$lt": 500}}, ttl="10m") for _ in range(2))
    first.loc[:, "amount"] = 7
    assert second["amount"].tolist() == [0, 200]
    assert docs.query("orders", {"amount": {"$lt": 1}}, ttl="10m").shape[0] == 1
    bob = ground.log_in("bob")
    with ground.runs.of(bob.login_id):
        assert ground.handle(bob).query("orders", {"amount": {"$lt": 500}}, ttl="10m")["amount"].tolist() == [100]
    assert server.facts()["seen"]["find"] == before + 3


def test_a_collection_is_pymongos_with_its_methods(docs, server):
    server.fill("notes", [])
    notes = docs["notes"]

    assert notes.insert_one({"_id": 1, "text": "a", "at": datetime(2026, 3, 1, tzinfo=UTC)}).inserted_id == 1
    assert notes.insert_many([{"_id": 2, "text": "b"}, {"_id": 3, "text": "c"}]).inserted_ids == [2, 3]
    assert notes.update_one({"_id": 2}, {"$set": {"text": "B"}}).modified_count == 1
    assert notes.find_one_and_update({"_id": 3}, {"$set": {"text": "C"}})["text"] == "c"
    assert notes.bulk_write([pymongo.InsertOne({"_id": 4}), pymongo.DeleteOne({"_id": 4})]).deleted_count == 1
    assert notes.count_documents({}) == 3
    assert notes.estimated_document_count() == 3
    assert notes.distinct("text") == ["a", "B", "C"]
    assert notes.find_one({"_id": 1})["at"] == datetime(2026, 3, 1, tzinfo=UTC)
    assert [one["_id"] for one in notes.aggregate([{"$sort": {"_id": -1}}, {"$limit": 2}])] == [3, 2]
    assert notes.create_index("text") == "text_1"
    assert {one["name"] for one in notes.list_indexes()} == set(notes.index_information()) == {"_id_", "text_1"}
    assert notes.replace_one({"_id": 1}, {"text": "new"}).matched_count == 1
    assert notes.delete_many({}).deleted_count == 3
    assert docs.collection("notes").name == "notes"
    assert docs["notes"]["archive"].name == "notes.archive"
    notes.drop()


def test_a_cursor_is_pymongos_with_its_methods(docs, server):
    server.fill("many", [{"_id": n} for n in range(250)])
    many = docs["many"]

    cursor = many.find().sort("_id", -1).skip(10).limit(200).batch_size(30)
    assert next(cursor) == {"_id": 239}
    assert cursor.alive
    assert [one["_id"] for one in cursor] == list(range(238, 39, -1))
    assert not cursor.alive
    assert len(many.find().to_list()) == 250
    assert len(many.aggregate([{"$match": {}}], batchSize=10).to_list(25)) == 25
    assert many.find({"_id": {"$lt": 3}}).sort("_id")[1] == {"_id": 1}
    assert [one["_id"] for one in many.find().sort("_id")[5:7]] == [5, 6]
    with many.find().sort("_id") as rewound:
        rewound.next()
        assert next(rewound.rewind()) == {"_id": 0}
        assert next(rewound.clone()) == {"_id": 0}
    assert rewound.try_next is not None
    assert many.find().distinct("_id")[:2] == [0, 1]
    assert isinstance(many.find().explain(), dict)


def test_a_change_stream_shows_what_changes_for_this_person(docs, server):
    with docs["orders"].watch(max_await_time_ms=50) as changes:
        assert changes.try_next() is None
        server.ask({"insert": "orders", "documents": [{"_id": "n1", "owner": "bob"}, {"_id": "n2", "owner": "ana"}]})
        wait_until(lambda: (found := changes.try_next()) and found["fullDocument"]["_id"] == "n2", "the change")
        assert changes.resume_token
    server.ask({"delete": "orders", "deletes": [{"q": {"_id": {"$in": ["n1", "n2"]}}, "limit": 0}]})


def test_options_of_a_collection_are_kept(docs):
    strict = docs["orders"].with_options(codec_options=bson.CodecOptions(document_class=bson.SON))
    assert type(strict.find_one()) is bson.SON
    assert type(docs["orders"].find_one()) is dict


def test_a_claim_that_looks_like_an_operator_is_a_value_and_never_one(ground, issuer, server):
    """A text is compared, whatever stands in it; a claim that is no text leads to no database."""
    server.fill("people_of", [{"_id": "ana", "tenant": "crm"}, {"_id": "x", "tenant": '{"$ne": null}'}, {"_id": "y", "tenant": "$tenant"}])
    for claim, found in (('{"$ne": null}', ["x"]), ("$tenant", ["y"]), ("$where", []), ("crm", ["ana"])):
        issuer.people["ana"]["tenant"] = claim
        live = ground.log_in("ana")
        with ground.runs.of(live.login_id):
            assert ground.handle(live)["people_of"].distinct("_id", {"tenant": claim}) == found


@pytest.mark.parametrize(
    ("claim", "code"),
    [
        ({"$ne": None}, "claim_missing"),
        (["crm"], "claim_missing"),
        (None, "claim_missing"),
        ("admin", "claim_unusable"),
        ("Local", "claim_unusable"),
        ("config", "claim_unusable"),
        ("a.b", "claim_unusable"),
        ("a/b", "claim_unusable"),
        ("$external", "claim_unusable"),
        ("a b", "claim_unusable"),
        ("x" * 39, "claim_unusable"),
    ],
)
def test_a_claim_that_names_no_database_of_the_apps_opens_nothing(build, issuer, server, claim, code):
    ground = build(server.app_section(database="{tenant}", rules="engine"))
    issuer.people["ana"]["tenant"] = claim
    live, before = ground.log_in("ana"), server.facts()["seen"].get("SCRAM-SHA-256", 0)
    with ground.runs.of(live.login_id), pytest.raises(PermissionDenied) as caught:
        ground.handle(live).query("orders")
    assert caught.value.code == code
    assert server.facts()["seen"].get("SCRAM-SHA-256", 0) == before


# -- whose it is ----------------------------------------------------------------------------------------------------------------


def begun(docs):
    """What a person holds in the middle of things: collections, cursors with and without documents at hand, a change stream."""
    found, waiting = docs["many"].find().batch_size(5), docs["many"].find()
    next(found)
    return {
        "collection": docs["orders"].find_one,
        "cursor with documents at hand": found.next,
        "cursor that has not begun": waiting.next,
        "aggregate": docs["many"].aggregate([]).next,
        "change stream": docs["orders"].watch(max_await_time_ms=10).try_next,
        "fact of a cursor": lambda: found.alive,
        "query": lambda: docs.query("orders"),
        "raw": lambda: docs.raw,
        "options": docs["orders"].with_options().find_one,
        "step": found.clone,
    }


@pytest.fixture
def many(server):
    server.fill("many", [{"_id": n} for n in range(250)])


def test_a32_a17_what_a_person_has_begun_is_of_no_use_in_anothers_run_or_in_nobodys(ground, docs, many):
    held = begun(docs)
    bob = ground.log_in("bob")
    for act in held.values():
        with ground.runs.of(bob.login_id), pytest.raises(CrossSessionError) as caught:
            act()
        assert caught.value.code == "other_session"
        with ground.runs.of(""), pytest.raises(CrossSessionError) as caught:
            act()
        assert caught.value.code == "no_run"
        with ground.runs.of(docs._live.login_id, shared=True), pytest.raises(TypeError, match="shown to everybody"):
            act()
        act()


def test_a32_what_a_person_has_begun_is_of_no_use_after_the_login(ground, docs, ana, many):
    held = begun(docs)
    ground.log_out(ana)
    for act in held.values():
        with pytest.raises(LoginRequired) as caught:
            act()
        assert caught.value.code == "session_ended"


def test_a16_neither_collections_nor_cursors_can_be_hashed_copied_or_pickled(docs):
    import copy
    import pickle

    for one in (docs["orders"], docs["orders"].find()):
        for act in (hash, copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError):
                act(one)


def test_a32_two_people_who_ask_at_once_are_never_each_other(ground):
    lives = {name: ground.log_in(name) for name in PEOPLE}
    wrong = []

    def ask(name):
        with ground.runs.of(lives[name].login_id):
            orders = ground.handle(lives[name])["orders"]
            for _ in range(20):
                wrong.extend(one for one in orders.find() if one["owner"] != name)
                wrong.extend(one for one in orders.aggregate([{"$match": {"owner": {"$ne": name}}}]))

    threads = [threading.Thread(target=ask, args=(name,)) for name in PEOPLE for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len({id(ground.core.pool._opened[live.login_id]) for live in lives.values()}) == 3


def test_a32_its_connections_and_threads_end_with_the_login(ground, docs, ana, server):
    docs["orders"].find_one()
    assert server.facts()["live"] == {"ana": 1}
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("pymongo")]
    assert ours

    ground.log_out(ana)

    assert ground.live() == 0
    wait_until(lambda: server.facts()["sockets"] == 0, "the end of the monitor's socket")
    wait_until(lambda: not any(thread.is_alive() for thread in ours), "the end of its threads", seconds=5)


def test_a_person_has_at_most_five_connections_and_the_server_can_see_whose_they_are(ground, docs, ana, server):
    threads = [threading.Thread(target=as_run(ground, ana, lambda: list(docs["many"].find()))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    facts = server.facts()
    assert 1 <= facts["live"]["ana"] <= 5
    assert facts["names"] == [f"st_auth {ana.login_id}"]


def as_run(ground, live, act):
    def run():
        with ground.runs.of(live.login_id):
            act()

    return run


def test_what_runs_is_stopped_when_the_login_ends(ground, docs, ana, server):
    before, seen = server.facts()["seen"].get("slow begun", 0), []

    def ask():
        with pytest.raises(LoginRequired):
            docs["slow"].find_one()
        seen.append("stopped")

    thread = threading.Thread(target=as_run(ground, ana, ask))
    thread.start()
    wait_until(lambda: server.facts()["seen"].get("slow begun", 0) > before, "the slow question")
    began = time.monotonic()
    ground.log_out(ana)
    thread.join(15)

    assert seen == ["stopped"]
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda docs: docs["slow"].find_one(), None),
        (lambda docs: len(docs.query("slow")), 0),
        (lambda docs: docs["slow"].insert_one({"_id": 1}), "closed"),
        (lambda docs: docs["slow"].aggregate([{"$merge": "other"}]), "closed"),
    ],
)
def test_what_only_reads_is_asked_again_when_the_connection_is_closed_in_another_tab(ground, docs, ana, server, act, expected):
    before, answers = server.facts()["seen"].get("slow begun", 0), []

    def ask():
        try:
            answers.append(act(docs))
        except ConnectionFailed as error:
            answers.append(error.code)

    thread = threading.Thread(target=as_run(ground, ana, ask))
    thread.start()
    wait_until(lambda: server.facts()["seen"].get("slow begun", 0) > before, "the slow question")
    server.behave(fast=True)
    docs.close()
    thread.join(15)

    assert answers == [expected]


def test_a_cursor_of_a_connection_that_was_closed_says_so_and_a_new_one_works(docs, many):
    cursor, stream = docs["many"].find().batch_size(5), docs["orders"].watch()
    next(cursor)
    docs.close()

    error = failed(lambda: list(cursor))
    assert error.code == "closed"
    assert failed(stream.try_next).code == "closed"
    cursor.close()
    stream.close()
    assert docs["orders"].find_one()["owner"] == "ana"


def test_a_client_that_the_app_has_closed_is_opened_again(docs):
    docs.raw.close()
    assert docs["orders"].find_one()["owner"] == "ana"


def test_what_is_written_when_the_connection_breaks_is_not_written_again(docs, server):
    before = server.facts()["seen"].get("insert", 0)
    error = failed(docs["broken"].insert_one, {"_id": 1})
    assert error.code == "unreachable"
    assert "has taken effect" in error.hint
    assert server.facts()["seen"]["insert"] == before + 1
    assert docs["orders"].find_one()["owner"] == "ana"


# -- nothing unguarded ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["database", "_Collection__database", "_database", "find_raw_batches", "client", "codec_options", "archive"]
)
def test_a_collection_hands_out_nothing_that_nobody_guards(docs, name):
    with pytest.raises(AttributeError, match=r"it has aggregate, .*behind `raw` alone"):
        getattr(docs["orders"], name)


@pytest.mark.parametrize("name", ["collection", "session", "address", "_collection", "_Cursor__collection", "_client", "add_cursor"])
def test_a_cursor_hands_out_nothing_that_nobody_guards(docs, name):
    for cursor in (docs["orders"].find(), docs["orders"].aggregate([]), docs["orders"].watch()):
        with pytest.raises(AttributeError, match="behind `raw` alone"):
            getattr(cursor, name)
        cursor.close()


def test_what_more_can_be_asked_of_is_guarded_whichever_way_it_came(docs):
    orders = docs["orders"]
    answers = [
        orders.find(),
        orders.find().sort("x"),
        orders.find().clone(),
        orders.find()[0:1],
        orders.aggregate([]),
        orders.list_indexes(),
    ]
    answers += [orders.watch(), orders.with_options(), orders["x"], iter(orders.find()), orders.find().__enter__(), orders.find().rewind()]
    assert {type(one).__module__ for one in answers} == {"st_auth.connections.mongodb.handle"}


def test_whatever_of_pymongos_an_answer_might_be_it_is_guarded_or_refused(docs):
    raw = docs.raw
    with raw.start_session() as session:
        for one in (raw, raw["crm"], raw["crm"]["orders"], session):
            with pytest.raises(TypeError, match="behind `raw` alone"):
                _guarded(docs, None, one)


def test_a32_a_method_of_a_cursor_taken_in_one_run_is_refused_in_another_persons(ground):
    ana, bob = ground.log_in("ana"), ground.log_in("bob")
    with ground.runs.of(ana.login_id):
        orders = ground.handle(ana)["orders"]
        found = orders.find()
        taken = [orders.find_one, found.next, found.to_list, found.clone, found.rewind, found.__next__, lambda: found.alive]
    for act in taken:
        with ground.runs.of(bob.login_id), pytest.raises(CrossSessionError):
            act()
        with pytest.raises(CrossSessionError):
            act()


def test_sessions_are_not_taken(docs):
    with docs.raw.start_session() as session, pytest.raises(TypeError, match="session= is not taken here"):
        docs["orders"].find_one({}, session=session)
    assert docs["orders"].find_one({}, session=None)["owner"] == "ana"


def test_misuse_is_told_with_a_sentence(docs):
    with pytest.raises(TypeError, match="not iterable"):
        iter(docs["orders"])
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(docs["orders"])
    for name in (None, 7, b"orders", docs["orders"]):
        with pytest.raises(TypeError, match="a text"):
            docs[name]
    with pytest.raises(ValueError, match="as_ is one of"):
        docs.query("orders", as_="excel")
    assert failed(docs["a$b"].find_one).code == "query_failed"
    assert failed(docs["orders"].find, 7).code == "query_failed"
    assert failed(docs["orders"].insert_one, "text").code == "query_failed"
    assert "find_one" in dir(docs["orders"])


def test_it_has_no_roles(ground, ana):
    with pytest.raises(TypeError, match="roles follow from who logs in"):
        ground.handle(ana, role="admin")


def test_it_is_no_sql_connection_and_says_what_it_is(docs):
    with pytest.raises(AttributeError, match=r"MongoDBHandle has no 'cursor'; it has close, collection, .*query, raw"):
        docs.cursor()


def test_with_the_apps_own_login_the_rule_file_decides_and_there_is_none_yet(build, server):
    ground = build(server.app_section())
    live, before = ground.log_in("ana"), server.facts()["seen"].get("SCRAM-SHA-256", 0)
    docs = ground.handle(live)
    with ground.runs.of(live.login_id):
        for act in (lambda: docs.query("orders"), lambda: docs["orders"], lambda: docs.collection("orders")):
            with pytest.raises(PermissionDenied) as caught:
                act()
            assert caught.value.code == "no_rule"
    assert server.facts()["seen"].get("SCRAM-SHA-256", 0) == before


# -- who logs in --------------------------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_told_to_whoever_looks_after_the_section(build, server):
    ground = build(server.app_section(rules="engine"), password="hunter2-hunter2")
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        error = failed(ground.handle(live).query, "orders")

    assert error.code == "login_refused"
    assert "user and password" in error.hint
    assert "hunter2" not in told(error)


def test_the_apps_login_is_scram_sha_256_and_its_password_is_shown_nowhere(build, server, caplog):
    log_everything(caplog)
    ground = build(server.app_section(rules="engine"))
    live, before = ground.log_in("ana"), server.facts()["seen"].get("SCRAM-SHA-256", 0)
    with ground.runs.of(live.login_id):
        handle = ground.handle(live)
        assert len(handle.query("orders")) == 4
        shown = f"{handle!r} {handle.raw!r} {handle['orders']!r} {handle['orders'].find()!r} {handle.raw.options!r}"
    assert server.facts()["seen"]["SCRAM-SHA-256"] == before + 1
    assert APP_PASSWORD not in shown + logged(caplog)


def test_a_token_for_another_audience_is_tried_anew_once_and_then_told_to_the_administrator(ground, issuer, server):
    live = ground.log_in("ana")
    ground.refuse()
    refreshes, before = issuer.refresh_count, server.facts()["seen"].get("refused 18", 0)
    with ground.runs.of(live.login_id):
        error = failed(ground.handle(live).query, "orders")
        again = failed(ground.handle(live).query, "orders")

    assert (error.code, again) == ("token_not_accepted", error)
    assert "docs/connections.md" in error.hint
    assert issuer.refresh_count == refreshes + 1
    assert server.facts()["seen"]["refused 18"] == before + 2


def test_a_server_that_wants_a_newer_token_gets_one_without_anybody_noticing(ground, docs, issuer, server):
    client, before, refreshes = docs.raw, server.facts(), issuer.refresh_count
    assert docs["orders"].find_one()["owner"] == "ana"
    for _ in range(3):
        server.expire("ana")
        assert docs["orders"].find_one()["owner"] == "ana"

    after = server.facts()
    assert docs.raw is client
    assert issuer.refresh_count == refreshes + 3
    assert after["tokens"] == before["tokens"] + 4 - (1 if before["live"] else 0)
    assert after["seen"]["refused 391"] == before["seen"].get("refused 391", 0) + 3


def test_a_connection_that_was_dropped_comes_back_with_a_newer_token(ground, docs, issuer, server):
    docs["orders"].find_one()
    server.expire("ana", "drop")
    refreshes = issuer.refresh_count
    assert docs["orders"].find_one()["owner"] == "ana"
    assert issuer.refresh_count == refreshes + 1


def test_a_server_that_is_never_content_costs_the_provider_one_refresh_and_not_one_at_each_rerun(ground, docs, issuer, server):
    docs["orders"].find_one()
    server.behave(never_content=True)
    server.expire("ana")
    refreshes = issuer.refresh_count

    for _ in range(4):
        error = failed(docs["orders"].find_one)
        assert error.code == "token_not_accepted"
    assert issuer.refresh_count <= refreshes + 1


def test_where_the_provider_renews_no_more_the_login_is_over(ground, docs, ana, issuer, server):
    docs["orders"].find_one()
    server.expire("ana")
    issuer.answers["/token"] = httpx2.Response(400, json={"error": "invalid_grant"})

    with pytest.raises(LoginRequired) as caught:
        docs["orders"].find_one()
    assert caught.value.code == "session_ended"
    assert ana.ended
    assert ground.live() == 0


CONFIG = ConnectionConfig("it", "mongodb", {}, "default")


def tokens_at(now, refusals):
    def renewed(refused):
        refusals.append(refused.reveal())
        return Opening(CONFIG, {}, "", Secret(f"token{len(refusals)}"), "ana", "login", "{}", renewed)

    opening = Opening(CONFIG, {}, "", Secret("token0"), "ana", "login", "{}", renewed)
    return Tokens(opening, Clock(now=SYSTEM.now, monotonic=lambda: now[0]))


def test_before_it_is_open_a_refused_token_is_the_pools_business():
    tokens = tokens_at([0.0], refusals := [])
    assert tokens.fetch() == "token0"
    with pytest.raises(Refused):
        tokens.fetch()
    assert refusals == []


def test_a_new_token_that_is_refused_too_rests_for_five_seconds_and_one_that_was_taken_does_not():
    now = [100.0]
    tokens = tokens_at(now, refusals := [])
    tokens.fetch()
    tokens.opened()

    assert tokens.fetch() == "token1"
    for at in (100.0, 104.9):
        now[0] = at
        with pytest.raises(Refused):
            tokens.fetch()
    now[0] = 105.1
    assert tokens.fetch() == "token2"
    tokens.proven()
    assert tokens.fetch() == "token3"
    tokens.close()
    with pytest.raises(Refused):
        tokens.fetch()
    assert refusals == ["token0", "token1", "token2"]


# -- nothing goes out in plain text, and nowhere else ---------------------------------------------------------------------------------


def test_tls_is_spoken_where_the_address_asks_for_it_to_a_certificate_that_somebody_vouches_for(build, server):
    for more, code in ((f"&tlsCAFile={server.authority}", None), ("", "unreachable")):
        ground = build(url=f"mongodb://localhost:{server.tls_port}/?tls=true{more}", timeout=1)
        live, before = ground.log_in("ana"), server.facts()["seen"].get("tokens taken", 0)
        with ground.runs.of(live.login_id):
            if code is None:
                assert ground.who(ground.handle(live)) == "ana"
            else:
                error = failed(ground.handle(live).query, "orders")
                assert (error.code, "CERTIFICATE_VERIFY_FAILED" in str(error)) == (code, True)
                assert server.facts()["seen"].get("tokens taken", 0) == before


@pytest.mark.parametrize("kind", ["token", "password"])
def test_neither_a_token_nor_a_password_goes_out_in_plain_text_but_to_this_machine(build, server, kind):
    """0.0.0.0 leads to this machine and is no name of it: there TLS is spoken, which this port does not know."""
    section = server.section() if kind == "token" else server.app_section(rules="engine")
    ground = build(section, url=f"mongodb://0.0.0.0:{server.port}/", timeout=1)
    live, before = ground.log_in("ana"), server.facts()["seen"]
    with ground.runs.of(live.login_id):
        assert failed(ground.handle(live).query, "orders").code == "unreachable"
    after = server.facts()["seen"]
    assert {name: count for name, count in after.items() if name != "testFacts" and count != before.get(name)} == {}


def test_a_server_without_tls_cannot_lead_to_another_one(build, server):
    port = free_port()
    server.behave(
        hello={"setName": "rs0", "hosts": [f"localhost:{port}"], "primary": f"localhost:{port}", "me": f"{LOOPBACK}:{server.port}"}
    )
    ground = build()
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        assert ground.who(ground.handle(live)) == "ana"
        assert ground.handle(live).raw.nodes == {(LOOPBACK, server.port)}


def test_a_server_that_does_not_answer_is_unreachable_and_not_asked_again_for_five_seconds(build):
    ground = build(url=f"mongodb://{LOOPBACK}:{free_port()}", timeout=1)
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        first, second = (failed(ground.handle(live).query, "orders") for _ in range(2))
    assert first.code == "unreachable"
    assert second is first
    assert "Connection refused" in str(first)


def test_an_address_that_pymongo_refuses_is_told(build):
    ground = build(url="mongodb://db.acme.com:99999/")
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        assert failed(ground.handle(live).query, "orders").code == "unreachable"


def test_nothing_of_the_machine_is_used_to_log_in_or_to_get_there(ground, ana, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://{LOOPBACK}:9")
    for name in ("OIDC_TOKEN_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ACCESS_KEY_ID"):
        monkeypatch.setenv(name, "/nowhere")
    assert ground.who(ground.handle(ana)) == "ana"


def test_limits_of_time_are_set_for_everything(build):
    ground = build(timeout=7)
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        options = ground.handle(live).raw.options
    pool = options.pool_options
    assert (pool.socket_timeout, pool.connect_timeout, pool.wait_queue_timeout, options.server_selection_timeout) == (7, 5, 5, 5)
    assert (pool.max_pool_size, pool.min_pool_size) == (5, 0)


def test_a_server_that_says_nothing_is_given_up_when_its_time_is_over(build):
    ground = build(timeout=1)
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        assert failed(ground.handle(live)["slow"].insert_one, {"_id": 1}).code == "unreachable"


# -- secrets ------------------------------------------------------------------------------------------------------------------------


def log_everything(caplog):
    for name in ("", "pymongo", "pymongo.command", "pymongo.connection", "pymongo.serverSelection", "pymongo.topology", "st_auth"):
        caplog.set_level(logging.DEBUG, name or None)


def logged(caplog):
    return caplog.text + "".join(f"{vars(record)}" for record in caplog.records)


def reachable(root):
    """Everything that can be reached from an object without going through modules, classes, functions and what is ours."""
    found, todo = {}, [root]
    while todo:
        one = todo.pop()
        is_ours = type(one).__module__.startswith(("st_auth", "tests"))
        if id(one) not in found and not is_ours and not isinstance(one, _NO_WAY):
            found[id(one)] = one
            todo += gc.get_referents(one)
    return found.values()


_NO_WAY = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)


def told(error):
    """What a traceback with its variables shows, and what can be reached from those, but for the tests' own frames."""
    frames = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename != __file__]
    shown = traceback.StackSummary.extract(frames, capture_locals=True).format()
    texts = (one for frame, _ in frames for value in frame.f_locals.values() for one in reachable(value) if isinstance(one, str))
    return "".join(
        [
            *traceback.format_exception(error),
            *shown,
            *texts,
            f"{vars(error)} {error.__cause__!r} {getattr(error.__cause__, '__dict__', '')}",
        ]
    )


def test_no_error_leads_to_a_token(ground, docs, ana, server, issuer):
    errors = [failed(docs["broken"].insert_one, {"_id": 1}), failed(docs["orders"].find, 7), failed(docs["orders"].aggregate, [{"$no": 1}])]
    errors += [failed(docs["orders"].insert_one, {"_id": "mine", "owner": "bob"})]
    server.behave(never_content=True)
    server.expire("ana")
    errors += [failed(docs["orders"].find_one)]
    docs.close()
    ground.refuse()
    errors += [failed(docs["orders"].find_one)]

    tokens = list(issuer._access)
    assert len(tokens) >= 3
    for error in errors:
        assert error.__cause__.__traceback__ is None
        assert not [token for token in tokens if token in told(error)]
    assert [error.code for error in errors] == ["unreachable", *["query_failed"] * 3, *["token_not_accepted"] * 2]
    assert errors[3].__cause__.code == 13


def test_a_renewal_that_fails_is_told_without_pymongos_frames(docs):
    def renewal(_):
        raise Unavailable("The provider does not answer.", code="provider")

    with pytest.raises(Unavailable) as caught:
        docs._do(lambda connection: connection.run(renewal))
    assert "renewal" not in [frame.f_code.co_name for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    assert caught.value.__context__ is None


def test_a_provider_that_is_silent_just_now_does_not_have_the_refused_token_sent_again(docs, issuer, server):
    docs["orders"].find_one()
    server.expire("ana")
    issuer.answers["/token"] = httpx2.Response(503)
    before = server.facts()["seen"].get("refused 18", 0)
    assert failed(docs["orders"].find_one).code == "token_not_accepted"
    assert server.facts()["seen"].get("refused 18", 0) == before


def test_an_address_that_pymongo_refuses_is_told_without_the_password(build, server):
    ground = build(server.app_section(rules="engine", database="no name"))
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        error = failed(ground.handle(live).query, "orders")
    assert error.code == "unreachable"
    assert APP_PASSWORD not in told(error)


def test_a_password_that_was_changed_is_told_and_is_good_again_when_it_is_back(build, server):
    ground = build(server.app_section(rules="engine"))
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        docs = ground.handle(live)
        assert len(docs.query("orders")) == 4
        server.behave(refuse_passwords=True)
        server.expire("app", "drop")
        assert failed(docs.query, "orders").code == "login_refused"
        server.behave()
        docs.close()
        ground.core.pool._failed.clear()
        assert len(docs.query("orders")) == 4


def test_nothing_that_pymongo_logs_or_shows_holds_the_token(ground, issuer, server, caplog):
    log_everything(caplog)
    live = ground.log_in("ana")
    with ground.runs.of(live.login_id):
        docs = ground.handle(live)
        docs["orders"].find_one()
        server.expire("ana")
        docs["orders"].find_one()
        server.expire("ana", "drop")
        docs["orders"].find_one()
        shown = f"{docs!r} {docs} {docs.raw!r} {docs.raw.options!r} {docs['orders']!r} {docs['orders'].find()!r} {docs.raw['crm']!r}"
    ground.log_out(live)

    assert "Command started" in caplog.text
    assert "Connection ready" in caplog.text
    for token in list(issuer._access):
        assert token not in shown + logged(caplog)


def test_the_token_of_one_client_is_not_anothers(ground, docs):
    bob = ground.log_in("bob")
    with ground.runs.of(bob.login_id):
        of_bob = ground.handle(bob).raw.options.pool_options._credentials
    of_ana = docs.raw.options.pool_options._credentials
    assert of_ana.cache is not of_bob.cache
    assert of_ana.mechanism_properties.callback is not of_bob.mechanism_properties.callback


# -- Streamlit's door -----------------------------------------------------------------------------------------------------------------


def page():
    import streamlit as st

    docs = st.connection("it", type="st_auth.MongoDBConnection")
    st.text(docs["people"].find_one()["owner"])
    st.text(docs.collection("people").find_one()["owner"])
    st.text(docs.query("people", {"owner": {"$ne": "x"}}, ttl="10m")["owner"][0])
    docs.reset()


def test_a36_st_connection_leads_to_the_handle_of_whoever_runs_the_script(ground):
    for person in ("ana", "bob"):
        live = ground.log_in(person)
        app = AppTest.from_function(page)
        app.user = {"is_logged_in": True, facts.LOGIN_ID_KEY: live.login_id}
        with facts.stand_in(ground.core):
            app.run()
        assert not app.exception
        assert [text.value for text in app.text] == [person] * 3
        assert ground.core.pool._opened == {}  # reset closes this person's
