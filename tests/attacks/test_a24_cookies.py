"""A-24: cookies know no ports and hosts toss them at each other; what is doubtful counts as none, and apps do not see each other's."""

from contextlib import ExitStack, closing

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from st_auth.secret import Secret
from st_auth.web import cookies, gate
from tests.attacks.inside import inside
from tests.web.inprocess import Browser, House


def _as_frameworks_do() -> None:
    """The last one of a name counts, whatever it is."""

    def reading(headers, names, hidden):
        pairs = [p.strip().partition("=") for k, v in headers if k == b"cookie" for p in v.decode("latin-1").split(";")]
        return {name: value for name, _, value in pairs if names.is_ours(name)}, b""

    gate.read_cookies = reading


def _forgiving() -> None:
    """As a server does that makes the best of what it gets."""
    cookies._LONGEST = 1_000_000
    strict = gate.parse_cookie
    gate.parse_cookie = lambda cookie: strict(Secret(cookie.reveal().strip('"=')[:44]))


def _see_all() -> None:
    cookies.CookieNames.is_ours = lambda self, name: name.startswith(self.session)


def _one_name() -> None:
    """As an app does whose session cookie has a fixed name, which is nearly every one."""
    of = cookies.CookieNames.of.__func__

    def naming(cls, config):
        names = of(cls, config)
        return cls(**{f: getattr(names, f).replace(names.session, "st_auth-session") for f in cls.__slots__ if f != "secure"}, secure=False)

    cookies.CookieNames.of = gate.CookieNames.of = classmethod(naming)


def _any_name() -> None:
    of = cookies.CookieNames.of.__func__

    def naming(cls, config):
        names = of(cls, config)
        return cls(**{f: getattr(names, f).removeprefix("__Host-") for f in cls.__slots__ if f != "secure"}, secure=names.secure)

    cookies.CookieNames.of = classmethod(naming)


DISARM = {
    "A-24": _as_frameworks_do,
    "A-24.b": _forgiving,
    "A-24.c": _see_all,
    "A-24.d": _one_name,
    "A-24.e": _any_name,
    "A-24.f": _as_frameworks_do,
}


@pytest.fixture
def sales(tmp_path):
    with inside(tmp_path) as app:
        yield app


def _value(cookie):
    return cookie[1].partition(b"=")[2]


def test_a24_a_session_cookie_that_comes_twice_is_nobodys_whichever_is_first(sales, caplog):
    mine, tossed = sales.login(subject="alice"), sales.login(subject="mallory")
    name = sales.gate.names.session.encode()
    assert sales.http("/", [mine]).reached

    for one, other in ((mine, tossed), (tossed, mine), (mine, mine), (mine, (b"cookie", name + b"=")), (mine, (b"cookie", name))):
        assert sales.http("/", [one, other]).reached is None
        assert sales.http("/", [(b"cookie", one[1] + b"; " + other[1])]).reached is None
        assert sales.http("/", [(b"cookie", b"a=b;" + one[1] + b" ;x=y;" + other[1] + b";")]).reached is None
        origin = (b"origin", sales.origin.encode())
        assert sales.websocket([one, other, origin]).reached is None
    assert "came twice" in caplog.text
    assert _value(mine).decode() not in caplog.text


def test_a24b_a_value_that_is_too_long_or_not_spelled_as_ours_is_nobodys(sales):
    mine = sales.login()
    value = _value(mine)
    name = sales.gate.names.session.encode()
    spelled = [
        value + b"A" * 4096,
        value + b"\x00" * 5000,
        value[:-1],
        value + b"A",
        value + b"=",
        b'"' + value + b'"',
        value.swapcase(),
        value.replace(value[:1], b"2", 1),
        value[:20] + b"\xe4" + value[21:],
        value[:20] + "ä".encode() + value[21:],
        value.replace(value[5:6], b"%" + value[5:6].hex().encode(), 1),
        b"1" * 5000,
        b"\xff" * 44,
        b"1",
    ]

    reached = [v[:50] for v in spelled if sales.http("/", [(b"cookie", name + b"=" + v)]).reached]
    longer = [n for n in (4096, 8192, 65536) if sales.http("/", [mine, (b"cookie", name + b"=" + b"A" * n)]).reached]

    assert (reached, longer) == ([], [])


def test_a24c_no_cookie_of_any_app_of_ours_reaches_the_app_behind_the_gate(sales, tmp_path):
    with inside(tmp_path, origin="http://localhost:8502") as other:
        mine, theirs = sales.login(), other.login()
        many = b"; ".join(b"c%d=%s" % (n, b"x" * n) for n in range(100))
        names = [sales.gate.names.ended, sales.gate.names.attempt_of("s"), other.gate.names.ended, other.gate.names.attempt_of("s")]
        tossed = b"; ".join(n.encode() + b"=planted" for n in names)
        forged = b"_streamlit_user=forged; _streamlit_user_tokens=forged; _streamlit_user_0=forged"

        seen = sales.http("/", [(b"cookie", many), mine, theirs, (b"cookie", tossed), (b"cookie", forged)]).reached

    (said,) = [v for k, v in seen["headers"] if k == b"cookie"]
    assert b"st_auth" not in said
    assert b"forged" not in said
    assert said == many, "the app's own cookies all arrive, in their order"


@pytest.fixture
def two_apps():
    """Two apps on this machine, in one browser."""
    with ExitStack() as stack:
        houses = [stack.enter_context(closing(House(redirect_uri=f"http://localhost:{port}/oauth2callback"))) for port in (8501, 8502)]
        jar: dict[str, str] = {}
        yield [Browser(house, jar) for house in houses]


def test_a24d_two_apps_on_one_host_neither_know_nor_disturb_each_others_logins(two_apps):
    sales, stock = two_apps
    sales.log_in("ana")
    mine = dict(sales.cookies)

    assert stock.fetch("/x").status == 401
    assert stock.visit("/").location.startswith("/auth/login"), "a first visit, and not one after an end"
    stock.log_in("bob")
    assert mine.items() <= sales.cookies.items()
    assert (sales.fetch("/x").status, stock.fetch("/x").status) == (200, 200)
    stock.visit("/auth/logout", site="same-origin")
    assert (sales.fetch("/x").status, stock.fetch("/x").status) == (200, 401)
    assert mine.items() <= sales.cookies.items()


def test_a24e_over_https_every_cookie_of_ours_is_one_that_no_other_host_can_set():
    with closing(House(redirect_uri="https://sales.acme.test/oauth2callback")) as house:
        ana = Browser(house)
        answers = [ana.go_to_provider()]
        answers += [ana.come_back(answers[0]), ana.visit("/auth/logout", site="same-origin"), ana.visit("/auth/ended?why=idle")]
        headers = [c for answer in answers for c in answer.all("set-cookie")]
        ana.log_in()
        tossed = {name.removeprefix("__Host-"): value for name, value in ana.cookies.items()}

        assert len(headers) > 4
        assert [c for c in headers if not c.startswith("__Host-st_auth-")] == []
        needed = ("Path=/", "Secure", "HttpOnly", "SameSite=Lax")
        assert [c for c in headers if not set(needed) <= set(c.split("; ")) or "domain=" in c.lower()] == []
        assert Browser(house, tossed).fetch("/x").status == 401


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
@given(before=st.binary(max_size=40), behind=st.binary(max_size=40))
@example(before=b"", behind=b"")
@example(before=b"{name}={value}; ", behind=b"")
@example(before=b"", behind=b"; {name}=x")
def test_a24f_whatever_else_stands_in_the_header_the_gate_answers_and_lets_nobody_else_in(sales, before, behind):
    mine = sales.login(subject="alice")
    name = sales.gate.names.session.encode()
    before, behind = (part.replace(b"{name}", name).replace(b"{value}", b"1" + b"A" * 43) for part in (before, behind))
    header = before + mine[1] + behind

    answer = sales.http("/", [(b"cookie", header)])

    assert answer.status in (200, 303, 401)
    assert answer.reached is None or header.count(name + b"=") == 1
