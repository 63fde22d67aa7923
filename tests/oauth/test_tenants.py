"""Many tenants behind one issuer: a token is its own tenant's, and nothing in it chooses another."""

import json

import pytest

from st_auth.errors import ConfigError, LoginRefused, ProviderError
from st_auth.oauth.profile import resolve
from st_auth.oauth.tenants import is_issuer_of, is_tenant, issuer_of, keys_of, require_tenant

TEMPLATE = "https://login.example/{tenantid}/v2.0"
OURS, THEIRS = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490", "11111111-2222-3333-4444-555555555555"
PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"
ISSUER = TEMPLATE.replace("{tenantid}", OURS)
NO_TENANTS = [
    None,
    5,
    "",
    "common",
    "{tenantid}",
    OURS.upper(),
    f"{OURS}\n",
    f" {OURS}",
    OURS[:-1],
    f"{OURS}0",
    f"{OURS}/..",
    OURS.replace("-", ""),
]
SECTION = {"profile": "entra-multitenant", "tenant": "organizations", "client_id": "app", "client_secret": "b"}


def payload(**claims):
    return json.dumps(claims).encode()


def refused(**claims):
    with pytest.raises(ProviderError) as caught:
        issuer_of(TEMPLATE, payload(**claims))
    return caught.value.parameter


@pytest.mark.parametrize("text", NO_TENANTS)
def test_a_tenant_is_a_guid_in_lower_case_and_nothing_else(text):
    assert is_tenant(OURS) and not is_tenant(text)
    assert refused(iss=TEMPLATE.replace("{tenantid}", str(text)), tid=text) == "tid"


def test_the_issuer_of_a_token_is_the_template_with_its_own_tenant():
    assert issuer_of(TEMPLATE, payload(iss=ISSUER, tid=OURS)) == ISSUER
    for iss in (TEMPLATE, f"{ISSUER}/", ISSUER.replace(OURS, THEIRS), None):
        assert refused(iss=iss, tid=OURS) == "iss"


@pytest.mark.parametrize("template", [TEMPLATE, "https://{tenantid}.example", "https://login.example/{tenantid}"])
def test_an_issuer_is_known_by_the_template_whatever_its_tenant(template):
    for tenant in (OURS, THEIRS):
        assert is_issuer_of(template, template.replace("{tenantid}", tenant))
    for text in ("", template, OURS, template.replace("{tenantid}", OURS.upper()), template.replace("{tenantid}", OURS) + "/"):
        assert not is_issuer_of(template, text)


def test_a_key_that_names_another_issuer_signs_nothing_of_this_one():
    keys = [{"kid": "everybodys"}, {"kid": "the template's", "issuer": TEMPLATE}, {"kid": "ours", "issuer": ISSUER}]
    others = [{"kid": "theirs", "issuer": ISSUER.replace(OURS, THEIRS)}, {"kid": "nobody's", "issuer": ""}]

    assert keys_of(ISSUER, TEMPLATE, [*keys, *others]) == tuple(keys)


def test_only_people_of_the_tenants_that_are_listed_come_in():
    require_tenant({"tid": THEIRS}, ())
    require_tenant({"tid": OURS}, (THEIRS, OURS))
    for claims in ({"tid": THEIRS}, {"tid": None}, {}):
        with pytest.raises(LoginRefused) as caught:
            require_tenant(claims, (OURS,))
        assert (caught.value.code, caught.value.parameter) == ("not_allowed", "tenant")
        assert caught.value.hint


@pytest.mark.parametrize(("tenants", "is_public"), [(None, True), ([OURS], False), ([OURS, PERSONAL], True)])
def test_anybody_can_have_an_account_unless_the_tenants_are_listed(tenants, is_public):
    section = SECTION if tenants is None else {**SECTION, "tenants": tenants}

    assert resolve("work", section, file="f").public == is_public


def test_tenants_are_listed_in_either_case():
    assert resolve("work", {**SECTION, "tenants": [THEIRS, OURS.upper()]}, file="f").tenants == (THEIRS, OURS)
    assert resolve("work", SECTION, file="f").tenants == ()


@pytest.mark.parametrize("tenants", [[], ["acme.com"], OURS, [5], [OURS, ""]])
def test_tenants_are_ids(tenants):
    with pytest.raises(ConfigError) as caught:
        resolve("work", {**SECTION, "tenants": tenants}, file="f")

    assert {problem.key for problem in caught.value.problems} == {"auth.work.tenants"}


def test_tenants_are_for_profiles_that_have_many():
    with pytest.raises(ConfigError) as caught:
        resolve("work", {"profile": "entra", "tenant": OURS, "client_id": "a", "client_secret": "b", "tenants": [OURS]}, file="f")

    assert [problem.key for problem in caught.value.problems] == ["auth.work.tenants"]
