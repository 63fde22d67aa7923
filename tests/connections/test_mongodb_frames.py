"""Documents as frames: whatever a MongoDB holds comes out with a plain type, in each kind of frame."""

from datetime import UTC, datetime
from decimal import Decimal

import bson
import pytest
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from hypothesis import given, settings, strategies as st

from st_auth.connections.mongodb.frames import from_documents

AS_READ = CodecOptions(tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME_AUTO, uuid_representation=4)
ID = bson.ObjectId("6b033117e44a0c24618d194a")
AT = datetime(2026, 3, 1, 12, 30, 0, 5000, UTC)


def read(*documents):
    """The documents as PyMongo gives them after a way through BSON."""
    return [bson.decode(bson.encode(document, codec_options=AS_READ), AS_READ) for document in documents]


def rows_of(frame):
    if hasattr(frame, "to_pylist"):
        return frame.to_pylist()
    return frame.to_dicts() if hasattr(frame, "to_dicts") else frame.astype(object).where(frame.notna(), None).to_dict("records")


def column(values, as_="arrow"):
    return [row["x"] for row in rows_of(from_documents(read(*({"x": value} for value in values)), as_))]


@pytest.mark.parametrize("as_", ["pandas", "polars", "arrow"])
def test_columns_stand_in_the_order_in_which_fields_first_appear_and_missing_ones_are_null(as_):
    frame = from_documents(read({"b": 1, "a": "x"}, {"c": 2.5}, {"a": "y", "d": True, "b": 3}), as_)

    assert list(frame.column_names if as_ == "arrow" else frame.columns) == ["b", "a", "c", "d"]
    assert rows_of(frame) == [
        {"b": 1, "a": "x", "c": None, "d": None},
        {"b": None, "a": None, "c": 2.5, "d": None},
        {"b": 3, "a": "y", "c": None, "d": True},
    ]
    assert as_ != "pandas" or str(frame.dtypes["b"]) == "Int64"


@pytest.mark.parametrize("as_", ["pandas", "polars", "arrow"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ID, str(ID)),
        (bson.Int64(2**62), 2**62),
        (bson.Decimal128("10.50"), Decimal("10.50")),
        (AT, AT),
        (bson.Binary(b"\x00\xff"), b"\x00\xff"),
        (bson.Binary(b"\x01", 128), b"\x01"),
        (bson.Binary(bytes(range(16)), 4), "00010203-0405-0607-0809-0a0b0c0d0e0f"),
        (bson.Regex("^a", "i"), "/^a/"),
        (bson.Timestamp(7, 2), "7:2"),
        (bson.Code("f()"), "f()"),
        (bson.MinKey(), "MinKey()"),
        (DatetimeMS(10**15), str(10**15)),
        ({"at": AT, "id": ID, "n": bson.Decimal128("1.5")}, {"at": AT, "id": str(ID), "n": Decimal("1.5")}),
        ([{"id": ID}, {"id": None}], [{"id": str(ID)}, {"id": None}]),
        (bson.DBRef("people", ID), {"$ref": "people", "$id": str(ID)}),
    ],
)
def test_each_type_of_bson_has_a_plain_one_in_each_kind_of_frame(value, expected, as_):
    found = column([value, None], as_)

    assert found == [expected, None]
    assert isinstance(found[0], type(expected))


def test_dates_are_dates_of_the_frame_with_their_zone():
    assert str(from_documents(read({"x": AT}, {}), "arrow").schema.field("x").type) == "timestamp[us, tz=UTC]"
    assert str(from_documents(read({"x": AT}, {}), "polars").schema["x"]) == "Datetime(time_unit='us', time_zone='UTC')"
    assert str(from_documents(read({"x": AT}, {}), "pandas").dtypes["x"]).startswith("datetime64[")


def test_nested_values_of_one_shape_are_structs_and_lists():
    frame = from_documents(read({"x": {"a": 1}, "y": [1, 2]}, {"x": {"a": 2, "b": "t"}, "y": []}), "arrow")

    assert frame["y"].to_pylist() == [[1, 2], []]
    assert frame["x"].to_pylist() == [{"a": 1, "b": None}, {"a": 2, "b": "t"}]


@pytest.mark.parametrize("as_", ["polars", "arrow"])
def test_nested_values_of_several_shapes_are_json_and_plain_ones_of_several_types_are_text(as_):
    assert column([{"a": 1}, [1], "text", None, {}, {"a": [bson.Binary(b"\x01"), AT]}], as_) == [
        '{"a": 1}',
        "[1]",
        "text",
        None,
        "{}",
        '{"a": ["01", "2026-03-01T12:30:00.005000+00:00"]}',
    ]
    assert column([1, "one", AT], as_) == ["1", "one", "2026-03-01 12:30:00.005000+00:00"]


@pytest.mark.parametrize("as_", ["pandas", "polars", "arrow"])
def test_nothing_found_is_an_empty_frame(as_):
    assert from_documents([], as_).shape == (0, 0)


PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5),
    st.datetimes(timezones=st.just(UTC)),
    st.binary(max_size=5),
    st.decimals(places=3, min_value=-(10**9), max_value=10**9).map(bson.Decimal128),
    st.sampled_from([ID, bson.Decimal128("NaN"), bson.Decimal128("-Infinity"), bson.Decimal128("1E+6111"), bson.MaxKey(), bson.Regex("a")]),
    st.integers(-(2**60), 2**60).map(DatetimeMS),
)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3)
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6)


@given(st.lists(st.dictionaries(NAMES.filter(bool), VALUES, max_size=4), max_size=5), st.sampled_from(["pandas", "polars", "arrow"]))
@settings(deadline=None, max_examples=150)
def test_whatever_documents_hold_a_frame_comes_with_a_row_for_each_and_a_column_for_each_field(documents, as_):
    frame = from_documents(read(*documents), as_)

    names = list(dict.fromkeys(name for document in documents for name in document))
    assert list(frame.column_names if as_ == "arrow" else frame.columns) == names
    assert not names or frame.shape == (len(documents), len(names))
