"""[auth] and [st_auth] of secrets.toml: what is read, what is refused, and that nothing but ConfigError is ever raised."""

import ipaddress
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as some

from st_auth.config import Allow, Config, Host, is_loopback, parse
from st_auth.errors import ConfigError
from tests.oauth.keys import key_file

SECRET = "only for tests, and never anywhere else than here"
CLIENT = {"client_id": "x", "client_secret": "x", "server_metadata_url": "https://issuer.example/.well-known/openid-configuration"}
GOOGLE = {"profile": "google", "client_id": "x", "client_secret": "x"}
HTTPS = "https://sales.acme.com/oauth2callback"
LOCAL = "http://localhost:8501/oauth2callback"


def secrets(auth=None, **own):
    return {"auth": {"redirect_uri": HTTPS, "cookie_secret": SECRET, **CLIENT, **(auth or {})}, "st_auth": own}


def read(auth=None, *, host=None, env=None, **own) -> Config:
    given_auth = {k: v for k, v in secrets(auth)["auth"].items() if v is not None}
    return parse({"auth": given_auth, "st_auth": own}, host or Host(port=8501), env=env or {})


def wrong(auth=None, **settings_) -> dict[str, str]:
    """The keys that are wrong, and what with them."""
    with pytest.raises(ConfigError) as caught:
        read(auth, **settings_)
    return {p.key: p.what for p in caught.value.problems}


def test_the_defaults_are_what_the_documentation_says():
    config = read()

    assert config.idle_timeout == timedelta(hours=4)
    assert config.absolute_timeout == timedelta(hours=12)
    assert (config.max_per_user, config.logins_per_minute, config.require_login, config.freeze_heap) == (10, 60, "before_app", True)
    assert (config.public, config.trusted_proxies, config.keys, config.expose_tokens) == ((), (), (), ())
    assert config.allow == Allow()
    assert config.origin == "https://sales.acme.com"
    assert config.is_secure and not config.is_loopback
    assert list(config.providers) == ["default"]
    assert config.warnings == ()


PROFILE = 'extends = "google"\nname = "{name}"\n'


def test_a_profile_of_ones_own_is_looked_for_beside_the_secrets_and_then_beside_the_app(tmp_path):
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / "acme.toml").write_text(PROFILE.format(name="Beside the app"))
    section = {"profile": "./acme.toml", "client_id": "x", "client_secret": "x"}

    def label():
        here = Host(port=8501, folder=tmp_path)
        return read({**dict.fromkeys(CLIENT), "work": section}, host=here, allow="anyone").providers["work"].label

    assert label() == "Beside the app"
    (tmp_path / ".streamlit" / "acme.toml").write_text(PROFILE.format(name="Beside the secrets"))
    assert label() == "Beside the secrets"


def test_a_profile_of_ones_own_that_is_not_there_is_named_with_its_path(tmp_path):
    section = {"profile": "./acme.toml", "client_id": "x", "client_secret": "x"}

    with pytest.raises(ConfigError) as caught:
        read({**dict.fromkeys(CLIENT), "work": section}, host=Host(port=8501, folder=tmp_path))

    assert [problem.file for problem in caught.value.problems] == [str(tmp_path / "acme.toml")]


@pytest.mark.parametrize(
    "section", [{"profile": "github"}, {"profile": "slack"}, {"profile": "gitlab"}, {"profile": "entra-multitenant", "tenant": "common"}]
)
def test_a_provider_that_anybody_has_an_account_at_needs_allow(section):
    auth = {**dict.fromkeys(CLIENT), "work": {**section, "client_id": "x", "client_secret": "x"}}

    assert set(wrong(auth)) == {"st_auth.allow"}
    assert read(auth, allow={"email_domain": ["acme.com"]}).providers["work"].public


def test_every_key_of_st_auth_is_read():
    config = read(
        allow={"email_domain": ["@Acme.com"], "email": ["Ana@Acme.com"], "groups": ["g"], "claim": {"department": ["sales", "it"]}},
        require_login="in_script",
        public=["/app/static/logo.png"],
        idle_timeout="1h 30m",
        absolute_timeout="2d",
        max_per_user=3,
        logins_per_minute=7,
        store="memory://",
        keys=["new:x", "old:y"],
        trusted_proxies=["10.0.0.0/8", "fd00::/8"],
        app_group="sales",
        freeze_heap=False,
    )

    assert config.allow == Allow(("acme.com",), ("ana@acme.com",), ("g",), {"department": ("sales", "it")})
    assert config.require_login == "in_script"
    assert config.public == ("/app/static/logo.png",)
    assert (config.idle_timeout, config.absolute_timeout) == (timedelta(minutes=90), timedelta(days=2))
    assert (config.max_per_user, config.logins_per_minute, config.store, config.freeze_heap) == (3, 7, "memory://", False)
    assert [key.reveal() for key in config.keys] == ["new:x", "old:y"]
    assert config.trusted_proxies == (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


def test_without_auth_one_problem_says_how_to_begin():
    for content in ({}, {"auth": {}}, {"auth": "x"}):
        with pytest.raises(ConfigError, match=r'profile = "dev"'):
            parse(content, Host(port=8501), env={})


def test_all_problems_are_listed_at_once():
    problems = wrong(
        {"redirect_uri": None, "cookie_secret": None, "client_id": None, "expose_tokens": ["refresh"]},
        idle_timeout="soon",
        max_per_user=0,
        idel_timeout="4h",
        trusted_proxies=["10.0.0.1/8"],
    )

    assert {"auth.redirect_uri", "auth.expose_tokens", "auth.client_id"} <= problems.keys()
    assert {"st_auth.idle_timeout", "st_auth.max_per_user", "st_auth.idel_timeout", "st_auth.trusted_proxies"} <= problems.keys()


def test_a_misspelled_key_is_told_the_nearest_one():
    with pytest.raises(ConfigError, match="did you mean 'idle_timeout'"):
        read(idel_timeout="4h")
    with pytest.raises(ConfigError, match="known keys: absolute_timeout, allow, "):
        read(zzz=1)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("require_login", "never"), ("require_login", 1), ("public", "/x"), ("public", [1]), ("public", ["x"]), ("public", ["/*"])),
        *(("public", ["//x"]), ("public", ["/../x"]), ("idle_timeout", 4), ("idle_timeout", ""), ("idle_timeout", "4h x")),
        *(("idle_timeout", "0s"), ("idle_timeout", "91d"), ("idle_timeout", "9" * 400 + "d"), ("idle_timeout", "-4h")),
        *(("max_per_user", 0), ("max_per_user", True), ("max_per_user", "ten"), ("max_per_user", 1.5), ("store", 1), ("keys", "x")),
        *(("logins_per_minute", 0), ("logins_per_minute", "many"), ("logins_per_minute", 0.5)),
        *(("keys", [1]), ("trusted_proxies", ["x"]), ("trusted_proxies", "10.0.0.0/8"), ("app_group", 1), ("freeze_heap", "yes")),
        *(("allow", "everybody"), ("allow", ["acme.com"]), ("allow", {}), ("allow", {"email": []}), ("allow", {"email": [""]})),
        *(("allow", {"groups": "", "email": "x"}), ("allow", {"claim": []}), ("allow", {"claim": {}}), ("allow", {"domain": ["x"]})),
        *(("allow", {"claim": {"department": []}}), ("allow", {"claim": {"department": [1]}}), ("allow", {"email_domain": ["@"]})),
    ],
)
def test_a_value_of_another_kind_is_a_problem_of_its_key(key, value):
    assert any(found.startswith(f"st_auth.{key}") for found in wrong(**{key: value}))


def test_st_auth_that_is_no_table_is_a_problem():
    with pytest.raises(ConfigError, match="is not a table"):
        parse({**secrets(), "st_auth": "x"}, Host(port=8501), env={})


def test_idle_longer_than_absolute_is_a_problem():
    assert "st_auth.idle_timeout" in wrong(idle_timeout="13h")


# -- how the client asks -------------------------------------------------------------------------------------------------------


def test_a_client_key_stands_beside_the_secrets_file_and_is_read_at_the_start(tmp_path):
    (tmp_path / ".streamlit").mkdir()
    key_file(tmp_path / ".streamlit")
    auth = {"client_secret": None, "client_key": "P-256.pem", "authorization_parameters": {"ui_locales": "de"}}

    provider = read(auth, host=Host(port=8501, folder=tmp_path)).providers["default"]

    assert provider.client_key is not None
    assert provider.authorization_parameters["ui_locales"] == "de"
    (tmp_path / ".streamlit" / "P-256.pem").unlink()
    assert wrong(auth, host=Host(port=8501, folder=tmp_path)) == {"auth.client_key": "names a file that cannot be read"}


# -- redirect_uri --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("https://Sales.Acme.com:443/oauth2callback", "https://sales.acme.com"),
        ("https://sales.acme.com:8443/oauth2callback", "https://sales.acme.com:8443"),
        ("http://localhost:80/oauth2callback", "http://localhost"),
        ("http://127.0.0.1:8501/oauth2callback", "http://127.0.0.1:8501"),
        ("http://[::1]:8501/oauth2callback", "http://[::1]:8501"),
        ("http://localhost:{port}/oauth2callback", "http://localhost:8501"),
    ],
)
def test_the_origin_is_written_as_browsers_write_it(uri, origin):
    assert read({"redirect_uri": uri}).origin == origin


@pytest.mark.parametrize(
    "uri",
    [
        *("http://sales.acme.com/oauth2callback", "ftp://localhost/x", "localhost:8501/x", "https://sales.acme.com", "/oauth2callback"),
        *("https://sales.acme.com/x?y=1", "https://sales.acme.com/x#y", "https://user@sales.acme.com/x", "https://", "https:///x"),
        *("https://sales.acme.com:port/x", "https://sales.acme.com:99999/x", "https://[/x", "https://{provider}.acme.com/x"),
        *("https://sales.acme.com/", "https://sales.acme.com/auth/callback", "https://sales.acme.com/_stcore/health"),
        *("https://sales.acme.com/media/x", "http://localhost.evil.example/x", 5, ["https://sales.acme.com/x"]),
        *("https://sales.acme.com/x y", "https://sales.acme.com/x\ny", "https://sal\tes.acme.com/x", "https://bücher.example/x"),
    ],
)
def test_a_redirect_uri_that_cannot_be_used_is_refused(uri):
    assert "auth.redirect_uri" in wrong({"redirect_uri": uri})


def test_the_base_path_must_hold_the_redirect_uri():
    assert "auth.redirect_uri" in wrong(host=Host(port=8501, base_path="sales"))

    config = read({"redirect_uri": "https://sales.acme.com/sales/oauth2callback"}, host=Host(port=8501, base_path="/sales/"))

    assert config.base_path == "/sales"
    assert config.callback_path("default") == "/sales/oauth2callback"


def test_each_provider_may_have_a_path_of_its_own():
    auth = {"redirect_uri": "https://sales.acme.com/cb/{provider}", "okta": CLIENT, "entra": CLIENT}
    config = read({**auth, **dict.fromkeys(CLIENT)})

    assert (config.callback_path("okta"), config.callback_path("entra")) == ("/cb/okta", "/cb/entra")
    assert config.redirect_uri_of("okta") == "https://sales.acme.com/cb/okta"


def test_a_single_provider_may_stand_beside_named_ones():
    assert list(read({"okta": CLIENT}).providers) == ["default", "okta"]


def test_without_any_provider_that_is_the_problem():
    assert wrong(dict.fromkeys(CLIENT)) == {"auth": "no provider is configured"}


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "app.localhost", "localhost.", "127.0.0.1", "127.1.2.3", "[::1]", "::ffff:127.0.0.1"]
)
def test_this_machine_is_known_by_all_its_names(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "localhost.evil.example", "127.0.0.1.nip.io", "10.0.0.1", "0.0.0.0", "::", "xlocalhost", "[::2]"])
def test_what_only_looks_like_this_machine_is_not(host):
    assert not is_loopback(host)


# -- secrets and keys ----------------------------------------------------------------------------------------------------------


def test_beyond_this_machine_a_cookie_secret_has_32_bytes():
    assert wrong({"cookie_secret": "short"}) == {"auth.cookie_secret": "is shorter than 32 bytes"}
    assert wrong({"cookie_secret": None}) == {"auth.cookie_secret": "is missing"}
    assert wrong({"cookie_secret": 5}) == {"auth.cookie_secret": "is missing"}
    assert read({"cookie_secret": "ü" * 16}).cookie_secret.reveal() == "ü" * 16


def test_on_this_machine_a_short_one_is_warned_about():
    config = read({"redirect_uri": LOCAL, "cookie_secret": "short"})

    assert "under 32 bytes" in config.warnings[0]
    assert config.is_loopback and not config.is_secure


def test_on_this_machine_one_is_made_and_kept_for_its_owner_only(tmp_path):
    host = Host(port=8501, folder=tmp_path)

    one = read({"redirect_uri": LOCAL, "cookie_secret": None}, host=host)
    two = read({"redirect_uri": LOCAL, "cookie_secret": None}, host=host)

    folder = tmp_path / ".streamlit" / "st_auth"
    assert one.cookie_secret == two.cookie_secret
    assert len(one.cookie_secret.reveal()) >= 32
    assert sorted(p.name for p in folder.iterdir()) == [".gitignore", "cookie_secret"]
    assert stat.S_IMODE((folder / "cookie_secret").stat().st_mode) == 0o600
    assert (folder / ".gitignore").read_text() == "*\n"


def test_where_none_can_be_kept_that_is_a_problem_and_no_traceback(tmp_path):
    (tmp_path / ".streamlit").write_text("a file where the folder should be")

    problems = wrong({"redirect_uri": LOCAL, "cookie_secret": None}, host=Host(port=8501, folder=tmp_path))

    assert "none can be kept" in problems["auth.cookie_secret"]


def test_a_kept_secret_that_is_not_ours_is_a_problem(tmp_path):
    folder = tmp_path / ".streamlit" / "st_auth"
    folder.mkdir(parents=True)
    (folder / "cookie_secret").write_bytes(b"\xff\xfe")

    assert "auth.cookie_secret" in wrong({"redirect_uri": LOCAL, "cookie_secret": None}, host=Host(port=8501, folder=tmp_path))


def test_keys_come_from_the_environment_where_the_file_has_none():
    assert [k.reveal() for k in read(env={"ST_AUTH_KEYS": "a:1, b:2,"}).keys] == ["a:1", "b:2"]
    assert [k.reveal() for k in read(env={"ST_AUTH_KEYS": "a:1"}, keys=["c:3"]).keys] == ["c:3"]


def test_no_secret_is_in_what_a_config_prints():
    config = read({"client_secret": "client-canary"}, keys=["key-canary"])

    assert "canary" not in repr(config)
    assert SECRET not in repr(config)


def test_no_secret_is_in_what_a_problem_prints():
    with pytest.raises(ConfigError) as caught:
        read(
            {"client_secret": "client-canary", "cookie_secret": "cookie-canary", "redirect_uri": "https://u:canary@x/y"}, keys=["canary", 1]
        )

    assert "canary" not in str(caught.value)


# -- tokens, stores, places ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [["id"], "access", ["id", "access"]])
def test_tokens_may_be_exposed_by_name(value):
    assert read({"expose_tokens": value}).expose_tokens == ((value,) if isinstance(value, str) else tuple(value))


@pytest.mark.parametrize("value", [["refresh"], 5, {"id": True}, [1]])
def test_nothing_else_may_be_exposed(value):
    assert "auth.expose_tokens" in wrong({"expose_tokens": value})


def test_a_relative_store_stands_beside_the_app(tmp_path):
    host = Host(port=8501, folder=tmp_path)

    assert read(host=host).store == f"sqlite:///{tmp_path}/.streamlit/st_auth/vault.db"
    assert read(host=host, store="sqlite:///data/x.db").store == f"sqlite:///{tmp_path}/data/x.db"
    assert read(host=host, store="sqlite:////var/x.db").store == "sqlite:////var/x.db"
    assert read(host=host, store="memory://").store == "memory://"


def test_an_app_is_known_by_its_address_or_by_the_group_it_shares():
    other = {"redirect_uri": "https://hr.acme.com/oauth2callback"}

    assert read().app_id != read(other).app_id
    assert read(app_group="one").app_id == read(other, app_group="one").app_id


def test_a_landing_is_kept_by_provider():
    config = read({"post_logout_redirect_uri": "https://acme.com/bye"})
    named = read({**dict.fromkeys(CLIENT), "okta": {**CLIENT, "post_logout_redirect_uri": "https://acme.com/"}, "hr": CLIENT})

    assert dict(config.landing) == {"default": "https://acme.com/bye"}
    assert dict(named.landing) == {"okta": "https://acme.com/"}


# -- who may log in ------------------------------------------------------------------------------------------------------------


def test_a_provider_that_everybody_has_an_account_at_needs_an_allow():
    auth = {**dict.fromkeys(CLIENT), "google": GOOGLE}

    assert "anybody in the world" in wrong(auth)["st_auth.allow"]
    assert read(auth, allow="anyone").allow == Allow()
    assert read(auth, allow={"email_domain": "acme.com"}).allow.email_domain == ("acme.com",)


def test_in_streamlits_own_form_such_a_provider_is_only_warned_about():
    config = read({"server_metadata_url": "https://accounts.google.com/.well-known/openid-configuration"})

    assert "anybody in the world" in config.warnings[0]


def test_the_development_provider_is_for_this_machine_only():
    auth = {**dict.fromkeys(CLIENT), "dev": {"profile": "dev"}}

    assert "others reach" in wrong(auth)["auth"]
    assert read({**auth, "redirect_uri": None}).redirect_uri == LOCAL
    assert (
        read({**auth, "redirect_uri": None}, host=Host(port=8502, base_path="x")).redirect_uri == "http://localhost:8502/x/oauth2callback"
    )


@pytest.mark.parametrize("path", ["nowhere.toml", "x" * 400, "\0", 5])
def test_personas_that_are_not_there_are_a_problem(tmp_path, path):
    auth = {**dict.fromkeys(CLIENT), "dev": {"profile": "dev", "personas": path}, "redirect_uri": LOCAL}

    assert "auth.dev.personas" in wrong(auth, host=Host(port=8501, folder=tmp_path))


def test_personas_are_found_beside_the_app(tmp_path):
    (tmp_path / "people.toml").write_text("")
    auth = {**dict.fromkeys(CLIENT), "profile": "dev", "personas": "people.toml", "redirect_uri": LOCAL}

    assert dict(read(auth, host=Host(port=8501, folder=tmp_path)).personas) == {"default": tmp_path / "people.toml"}


# -- anything at all -----------------------------------------------------------------------------------------------------------

_plain = some.one_of(some.none(), some.booleans(), some.integers(), some.floats(), some.text(max_size=20), some.dates())
_value = some.recursive(
    _plain, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=8), inner, max_size=3), max_leaves=6
)
_auth_keys = some.sampled_from(
    [*CLIENT, "redirect_uri", "cookie_secret", "expose_tokens", "profile", "okta", "dev", "client_kwargs", "personas", "authorize_params"]
)
_own_keys = some.sampled_from(
    [
        *("allow", "require_login", "public", "idle_timeout", "absolute_timeout", "max_per_user", "logins_per_minute", "store", "keys"),
        "trusted_proxies",
        "app_group",
    ]
)
_likely = some.sampled_from(
    [
        "dev",
        "google",
        "okta",
        HTTPS,
        LOCAL,
        SECRET,
        {"profile": "dev"},
        GOOGLE,
        CLIENT,
        ["10.0.0.0/8"],
        "4h",
        "anyone",
        {"email": [""]},
        {"claim": {"x": 1}},
    ]
)


@given(
    auth=some.dictionaries(_auth_keys | some.text(max_size=8), _likely | _value, max_size=6),
    own=some.dictionaries(_own_keys | some.text(max_size=8), _likely | _value, max_size=6) | _value,
    base=some.text(max_size=6),
)
@settings(max_examples=150, deadline=None)
def test_whatever_the_file_holds_nothing_but_a_config_error_comes_of_it(tmp_path_factory, auth, own, base):
    folder = Path(tmp_path_factory.getbasetemp())
    try:
        config = parse({"auth": auth, "st_auth": own}, Host(port=8501, base_path=base, folder=folder), env={})
    except ConfigError as error:
        assert error.problems
        assert all(p.key and p.what and p.mend for p in error.problems)
    else:
        assert config.providers


@given(uri=some.text(max_size=40) | some.from_regex(r"\Ahttps?://[^/]{0,20}/.{0,20}\Z"))
@settings(max_examples=150, deadline=None)
def test_no_redirect_uri_is_accepted_that_a_browser_would_read_otherwise(uri):
    try:
        config = read({"redirect_uri": uri})
    except ConfigError:
        return
    assert config.redirect_uri.isascii() and config.redirect_uri.isprintable() and " " not in config.redirect_uri
    assert config.redirect_uri.lower().startswith(config.origin.removesuffix(":443").removesuffix(":80"))


def test_the_folder_of_the_kept_secret_is_closed_to_others(tmp_path):
    read({"redirect_uri": LOCAL, "cookie_secret": None}, host=Host(port=8501, folder=tmp_path))

    assert stat.S_IMODE((tmp_path / ".streamlit" / "st_auth").stat().st_mode) == 0o700
