"""Profiles as files: ours are sound, and one of your own is read or told what is wrong with it."""

import re
from dataclasses import asdict, fields
from datetime import date
from pathlib import Path

import pytest

from st_auth.errors import ConfigError
from st_auth.oauth.algorithms import ALGORITHMS
from st_auth.oauth.profile_file import Profile, load_profile, nearest, profile_of_host
from st_auth.oauth.profile_rules import addresses
from st_auth.oauth.quirks import QUIRKS
from st_auth.oauth.url_template import fill
from st_auth.oauth.urls import is_secure

PROVIDERS = Path(__file__).parents[2] / "providers"
OWN = """
name    = "Acme"
source  = "https://wiki.acme.com/login"
checked = 2026-11-22
issuer  = "https://sso.acme.com"
scopes  = ["openid"]
"""
PLAIN = """
openid                 = false
scopes                 = ["profile"]
authorization_endpoint = "https://sso.acme.com/authorize"
token_endpoint         = "https://sso.acme.com/token"
userinfo_endpoint      = "https://sso.acme.com/me"
claims.sub             = "id"
"""


def write(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text, "utf-8")
    return str(path)


def problems(path):
    with pytest.raises(ConfigError) as caught:
        load_profile(path)
    return {problem.key: problem for problem in caught.value.problems}


@pytest.mark.parametrize("path", sorted(PROVIDERS.glob("*.toml")), ids=lambda p: p.stem)
def test_every_profile_that_we_ship_is_sound(path):
    profile = load_profile(path.stem)

    assert profile.checked >= date(2026, 11, 22)
    assert profile.source.startswith("https://")
    assert ("openid" in profile.scopes) == profile.openid
    example = {"domain": "acme.example", "host": "acme.example", "issuer": "https://acme.example"}
    for template in addresses(asdict(profile)).values():
        address, wrong = fill(template, {name: example.get(name, "x") for name in profile.parameters}, profile.optional)
        assert not wrong
        assert is_secure(address)


def test_every_field_is_described():
    described = (PROVIDERS / "README.md").read_text("utf-8")

    for field in (*Profile.__dataclass_fields__, "extends", *QUIRKS):
        assert f"`{field}`" in described, field


def test_the_file_that_is_shown_as_ones_own_is_sound(tmp_path):
    (text,) = re.findall(r"^```toml\n(.*?)^```", (PROVIDERS / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)

    profile = load_profile(write(tmp_path, text))

    assert (profile.openid, profile.claims["sub"]) == (False, "user.id")


def test_a_profile_of_ones_own_is_read_from_its_path_and_may_extend_another(tmp_path):
    path = write(tmp_path, 'extends = "okta"\nname = "Acme"\nclaims = { email = "mail" }\nscopes = ["openid"]')

    profile = load_profile(path)

    assert (profile.name, profile.scopes) == ("Acme", ("openid",))
    assert dict(profile.claims) == {"groups": "groups", "email": "mail"}


def test_an_unknown_field_names_the_nearest_known_one(tmp_path):
    path = write(tmp_path, 'extends = "okta"\nscope = ["openid"]\nzzz = 1')

    found = problems(path)

    assert found["scope"].mend == 'Did you mean "scopes"?'
    assert found["zzz"].mend == "Remove it."
    assert found["zzz"].file == path


def test_fields_that_are_missing_are_all_named(tmp_path):
    assert set(problems(write(tmp_path, ""))) == {"name", "source", "checked", "issuer", "scopes"}


@pytest.mark.parametrize(
    "line",
    [
        'name = ""',
        'checked = "2026-11-22"',
        'scopes = "openid"',
        "parameters = { domain = 5 }",
        'algorithms = ["none"]',
        "algorithms = []",
        "public = 1",
        'email_is_verified = "sometimes"',
        'token_endpoint_auth_method = "client_secret_jwt"',
        'logout_landing = "home"',
    ],
)
def test_a_field_of_the_wrong_kind_is_named(tmp_path, line):
    assert line.split()[0] in problems(write(tmp_path, f'extends = "okta"\n{line}'))


def test_parameters_are_held_against_the_issuer(tmp_path):
    path = write(tmp_path, 'extends = "google"\nissuer = "https://{a}"\nparameters = { b = "x" }\noptional = ["c"]')

    assert set(problems(path)) == {"parameters.a", "parameters.b", "optional.c"}


@pytest.mark.parametrize("base", ['"nobody"', "5", '"../okta"'])
def test_what_is_extended_must_be_a_profile_of_ours(tmp_path, base):
    assert set(problems(write(tmp_path, f"extends = {base}"))) == {"extends"}


def test_a_file_that_is_no_toml_is_named(tmp_path):
    assert set(problems(write(tmp_path, "= 1"))) == {"profile"}
    assert set(problems(str(tmp_path / "nothing.toml"))) == {"profile"}


def test_a_name_does_not_lead_out_of_the_folder():
    assert set(problems("../pyproject")) == {"profile"}


TEXT, FLAG, URL, TABLE = "a string", "true or false", "a URL, with {parameters} where it varies", "a table of strings"
CODES = "invalid_request invalid_client invalid_grant unauthorized_client unsupported_grant_type invalid_scope"
KINDS = {
    "name": (TEXT, ['"x"'], ['""', "5"]),
    "source": ("the address of the provider's documentation", ['"https://a"'], ['""', "5"]),
    "checked": ("the day when the source was read, such as 2026-11-22", ["2026-01-02"], ['"2026-11-22"', "2026-11-22T08:00:00Z"]),
    "issuer": (URL, ['"https://a"', '"http://localhost:1"'], ['""', '"sso.acme.com"', '"{host}/x"', "5"]),
    "hosts": ("a list of host names, such as *.okta.com", ["[]", '["*.acme.com"]'], ['"a"', '[""]', '["a", 5]']),
    "parameters": ("a table: name = what it is", ["{}"], ['"a"', "{ a = 5 }", '["a"]']),
    "optional": ("a list of parameters", ["[]"], ['"a"', '[""]', "[5]"]),
    "scopes": ("a list of strings", ['["openid", "x"]'], ['"openid"', '["openid", ""]', '["openid", 5]']),
    "client_id": (TEXT, ['"x"'], ['""', "5"]),
    "client_secret": (TEXT, ['"x"'], ['""', "5"]),
    "authorization_parameters": (TABLE, ["{}", '{ prompt = "" }'], ['"a"', "{ max_age = 5 }"]),
    "token_endpoint_auth_method": (
        "one of client_secret_basic, client_secret_post, private_key_jwt, none",
        ['"client_secret_basic"', '"client_secret_post"', '"private_key_jwt"', '"none"'],
        ['"client_secret_jwt"', '""', "5"],
    ),
    "algorithms": (
        "a list out of " + " ".join(ALGORITHMS),
        ['["RS256", "EdDSA"]'],
        ['["none"]', '["HS256"]', '["RS256", "HS256"]', "[]", '"RS256"'],
    ),
    "claims": ("a table: ours = theirs", ["{}", '{ name = "n" }'], ['"a"', "{ name = 5 }"]),
    "public": (FLAG, ["true"], ["1", '"true"']),
    "email_is_verified": ("one of claim, always, never", ['"claim"', '"always"', '"never"'], ['"sometimes"', "true"]),
    "logout_wants_id_token": (FLAG, ["true"], ["0"]),
    "logout_landing": ("one of redirect_uri, configured, none", ['"redirect_uri"', '"configured"', '"none"'], ['"home"', "false"]),
    "revoke_at_logout": (FLAG, ["false"], ["0"]),
    "exchange": ("one of token-exchange, jwt-bearer", ['"token-exchange"', '"jwt-bearer"'], ['"saml"', "false"]),
    "openid": (FLAG, ["true"], ["0", '"no"']),
    "server_metadata_url": (URL, ['"https://a/m"'], ['""', '"a/m"', "5"]),
    "error_codes": (
        "a table: theirs = one of " + CODES,
        [f'{{ odd = "{code}" }}' for code in CODES.split()],
        ['{ odd = "odder" }', '"odd"'],
    ),
    "hints": ("a table: error code = what to do", ['{ odd = "Mend it." }'], ['"odd"', "{ odd = 5 }"]),
    "quirks": ("a list out of " + " ".join(QUIRKS), ["[]", '["scope_with_commas"]'], ['["no_state"]', '"scope_with_commas"']),
}
KINDS_OF_PLAIN = {
    "authorization_endpoint": (URL, ['"https://a/x"'], ['""', '"/authorize"', "5"]),
    "token_endpoint": (URL, ['"https://a/x"'], ['""', '"sso.acme.com/token"']),
    "userinfo_endpoint": (URL, ['"https://a/x"'], ['""', '"{host}/me"']),
    "emails_endpoint": (URL, ['"https://a/x"'], ['""', "5"]),
    "revocation_endpoint": (URL, ['"https://a/x"'], ['""', "5"]),
    "end_session_endpoint": (URL, ['"https://a/x"'], ['""', "5"]),
    "subject_from": ("one of userinfo, token_response", ['"userinfo"', '"token_response"'], ['"access_token"', "true"]),
}


def with_line(base, key, value):
    kept = [line for line in base.splitlines() if line.partition("=")[0].strip() != key]
    return "\n".join([f"{key} = {value}", *kept])


def test_every_field_has_a_kind():
    assert KINDS.keys() | KINDS_OF_PLAIN.keys() == {field.name for field in fields(Profile)}


@pytest.mark.parametrize("key", [*KINDS, *KINDS_OF_PLAIN])
def test_a_field_takes_its_own_kind_and_names_any_other(tmp_path, key):
    base = OWN if key in KINDS else OWN.replace('scopes  = ["openid"]', "") + PLAIN
    what, right, wrong = (KINDS | KINDS_OF_PLAIN)[key]

    for value in right:
        assert load_profile(write(tmp_path, with_line(base, key, value)))
    for value in wrong:
        (problem,) = problems(write(tmp_path, with_line(base, key, value))).values()
        assert (problem.key, problem.what, problem.mend) == (key, f"is not {what}", f"Make it {what}.")


def test_what_a_profile_does_not_say_is_what_the_specifications_expect(tmp_path):
    said = {"name", "source", "checked", "issuer", "scopes"}
    profile = asdict(load_profile(write(tmp_path, OWN)))

    assert {key: value for key, value in profile.items() if value and key not in said} == {
        "algorithms": ALGORITHMS,
        "email_is_verified": "claim",
        "logout_landing": "configured",
        "revoke_at_logout": True,
        "exchange": "token-exchange",
        "openid": True,
        "subject_from": "userinfo",
    }
    assert all(profile[key] in ("", (), {}, False) for key in profile.keys() - said if not profile[key])


def test_a_profile_does_not_show_the_secret_in_it():
    assert "not-a-secret" not in repr(load_profile("dev"))


@pytest.mark.parametrize(
    ("base", "key", "line"),
    [
        ("github", "claims", 'claims.x = "y"'),
        ("github", "authorization_parameters", 'authorization_parameters.x = "y"'),
        ("github", "error_codes", 'error_codes.x = "invalid_grant"'),
        ("github", "hints", 'hints.x = "y"'),
        ("okta", "parameters", 'parameters.x = "y"\nserver_metadata_url = "https://{x}/m"'),
    ],
)
def test_a_table_is_laid_over_the_one_of_the_profile_that_is_extended(tmp_path, base, key, line):
    before = dict(getattr(load_profile(base), key))

    after = dict(getattr(load_profile(write(tmp_path, f'extends = "{base}"\n{line}')), key))

    assert before
    assert after == {**before, "x": after["x"]}


def test_a_profile_may_extend_one_that_has_no_such_table(tmp_path):
    assert dict(load_profile(write(tmp_path, 'extends = "dev"\nhints.x = "y"')).hints) == {"x": "y"}
    assert set(problems(write(tmp_path, 'extends = "okta"\nhints = "y"'))) == {"hints"}


def test_a_relative_path_is_looked_for_in_each_folder(tmp_path, monkeypatch):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "both.toml").write_text(OWN.replace("Acme", folder.name))
    (second / "one.toml").write_text(OWN)
    monkeypatch.chdir(second)

    assert load_profile("both.toml", (first, second)).name == "first"
    assert load_profile("one.toml", (first, second)).name == load_profile("one.toml").name == "Acme"
    for folders, there in (((first, second), second / "none.toml"), ((), "none.toml")):
        with pytest.raises(ConfigError) as caught:
            load_profile("none.toml", folders)
        assert [(p.file, p.key) for p in caught.value.problems] == [(str(there), "profile")]


@pytest.mark.parametrize("name", ["", "-", "-okta", "Okta", "okta/", "./okta", "../providers/okta", "okta\n", "ökta", "README.md"])
def test_a_name_is_the_one_of_a_file_of_ours(name):
    (problem,) = problems(name).values()

    assert (problem.key, problem.what) == ("profile", "cannot be read")
    assert problem.file == str(PROVIDERS / "-.toml")
    assert "auth0, " in problem.mend and ", zitadel." in problem.mend


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("acme.okta.com", "Okta"),
        ("ACME.OKTA.COM", "Okta"),
        ("accounts.google.com", "Google"),
        ("okta.com.evil.example", None),
        ("evilokta.com", None),
        ("www.accounts.google.com", None),
        ("", None),
    ],
)
def test_a_host_tells_whose_it_is_only_by_its_whole_name(host, name):
    assert getattr(profile_of_host(host), "name", None) == name


def test_a_word_is_taken_for_the_nearest_only_if_it_is_near():
    assert nearest("scope", ["scopes", "scoped_by"]) == "scopes"
    assert nearest("abcd", ["abce"]) == "abce"
    assert nearest("abcde", ["abcxy", "xyz"]) == ""
