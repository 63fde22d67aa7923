"""The profiles that we ship, filled in with example values: each address as it was read in the provider's documentation, by hand."""

from pathlib import Path

import pytest

from st_auth.oauth.profile import resolve

PROVIDERS = Path(__file__).parents[2] / "providers"
WELL_KNOWN = "/.well-known/openid-configuration"
TENANT = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"

# profile: (what stands in the section, the issuer, the address of its metadata)
OPENID = {
    "auth0": ({"domain": "acme.eu.auth0.com"}, "https://acme.eu.auth0.com/", "https://acme.eu.auth0.com" + WELL_KNOWN),
    "authelia": ({"host": "auth.acme.com"}, "https://auth.acme.com", "https://auth.acme.com" + WELL_KNOWN),
    "authentik": (
        {"host": "sso.acme.com", "application": "sales"},
        "https://sso.acme.com/application/o/sales/",
        "https://sso.acme.com/application/o/sales" + WELL_KNOWN,
    ),
    "cognito": (
        {"region": "eu-central-1", "user_pool_id": "eu-central-1_AbCdEfGhI", "domain": "acme.auth.eu-central-1.amazoncognito.com"},
        "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI",
        "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI" + WELL_KNOWN,
    ),
    "databricks": (
        {"workspace": "dbc-a1b2345c-d6e7.cloud.databricks.com"},
        "https://dbc-a1b2345c-d6e7.cloud.databricks.com/oidc",
        "https://dbc-a1b2345c-d6e7.cloud.databricks.com/oidc" + WELL_KNOWN,
    ),
    "dev": ({}, "https://dev.st-auth.localhost", "https://dev.st-auth.localhost" + WELL_KNOWN),
    "dex": ({"host": "dex.acme.com", "base_path": "dex"}, "https://dex.acme.com/dex", "https://dex.acme.com/dex" + WELL_KNOWN),
    "entra": (
        {"tenant": TENANT},
        f"https://login.microsoftonline.com/{TENANT}/v2.0",
        f"https://login.microsoftonline.com/{TENANT}/v2.0" + WELL_KNOWN,
    ),
    "entra-multitenant": (
        {"tenant": "organizations"},
        "https://login.microsoftonline.com/{tenantid}/v2.0",
        "https://login.microsoftonline.com/organizations/v2.0" + WELL_KNOWN,
    ),
    "generic": ({"issuer": "https://login.acme.com/x"}, "https://login.acme.com/x", "https://login.acme.com/x" + WELL_KNOWN),
    "gitlab": ({}, "https://gitlab.com", "https://gitlab.com" + WELL_KNOWN),
    "gitlab-self-managed": ({"host": "gitlab.acme.com"}, "https://gitlab.acme.com", "https://gitlab.acme.com" + WELL_KNOWN),
    "google": ({}, "https://accounts.google.com", "https://accounts.google.com" + WELL_KNOWN),
    "jumpcloud": ({}, "https://oauth.id.jumpcloud.com/", "https://oauth.id.jumpcloud.com" + WELL_KNOWN),
    "keycloak": (
        {"host": "login.acme.com", "realm": "staff"},
        "https://login.acme.com/realms/staff",
        "https://login.acme.com/realms/staff" + WELL_KNOWN,
    ),
    "okta": ({"domain": "acme.okta.com", "authorization_server": ""}, "https://acme.okta.com", "https://acme.okta.com" + WELL_KNOWN),
    "onelogin": ({"subdomain": "acme"}, "https://acme.onelogin.com/oidc/2", "https://acme.onelogin.com/oidc/2" + WELL_KNOWN),
    "ping": (
        {"region": "eu", "environment": TENANT},
        f"https://auth.pingone.eu/{TENANT}/as",
        f"https://auth.pingone.eu/{TENANT}/as" + WELL_KNOWN,
    ),
    "salesforce": ({"domain": "acme.my.salesforce.com"}, "https://acme.my.salesforce.com", "https://acme.my.salesforce.com" + WELL_KNOWN),
    "slack": ({}, "https://slack.com", "https://slack.com" + WELL_KNOWN),
    "zitadel": ({"domain": "acme-x1.zitadel.cloud"}, "https://acme-x1.zitadel.cloud", "https://acme-x1.zitadel.cloud" + WELL_KNOWN),
}
# profile: (what stands in the section, the issuer, its endpoints)
PLAIN = {
    "discord": (
        {},
        "https://discord.com",
        {
            "authorization_endpoint": "https://discord.com/oauth2/authorize",
            "token_endpoint": "https://discord.com/api/oauth2/token",
            "userinfo_endpoint": "https://discord.com/api/v10/users/@me",
            "revocation_endpoint": "https://discord.com/api/oauth2/token/revoke",
        },
    ),
    "github": (
        {},
        "https://github.com/login/oauth",
        {
            "authorization_endpoint": "https://github.com/login/oauth/authorize",
            "token_endpoint": "https://github.com/login/oauth/access_token",
            "userinfo_endpoint": "https://api.github.com/user",
            "emails_endpoint": "https://api.github.com/user/emails",
        },
    ),
    "snowflake": (
        {"account": "acme-analytics"},
        "https://acme-analytics.snowflakecomputing.com",
        {
            "authorization_endpoint": "https://acme-analytics.snowflakecomputing.com/oauth/authorize",
            "token_endpoint": "https://acme-analytics.snowflakecomputing.com/oauth/token-request",
        },
    ),
}
SCOPES = {
    "authelia": "openid profile email groups",
    "cognito": "openid profile email",
    "dex": "openid profile email groups offline_access",
    "discord": "identify email",
    "github": "read:user user:email",
    "google": "openid profile email",
    "keycloak": "openid profile email",
    "onelogin": "openid profile email groups",
    "slack": "openid profile email",
    "snowflake": "refresh_token",
    "zitadel": "openid profile email",
}
PUBLIC = {"discord", "entra-multitenant", "github", "gitlab", "google", "slack"}


def resolved(name):
    values = (OPENID | PLAIN)[name][0]
    return resolve(name, {"profile": name, "client_id": "app", "client_secret": "s", **values}, file="f")


def test_every_profile_has_its_golden_values():
    shipped = {path.stem for path in PROVIDERS.glob("*.toml")}

    assert shipped == OPENID.keys() | PLAIN.keys()
    assert len(shipped) >= 18


@pytest.mark.parametrize("name", OPENID)
def test_bcp15_a_provider_with_openid_is_discovered_where_its_documentation_says(name):
    provider = resolved(name)

    assert (provider.issuer, provider.metadata_url) == OPENID[name][1:]
    assert provider.openid
    assert "openid" in provider.scopes


@pytest.mark.parametrize("name", PLAIN)
def test_a_provider_without_openid_is_where_its_profile_says(name):
    provider = resolved(name)

    assert (provider.issuer, dict(provider.endpoints)) == PLAIN[name][1:]
    assert (provider.openid, provider.metadata_url) == (False, "")


@pytest.mark.parametrize("name", SCOPES)
def test_what_is_asked_for_is_what_a_fresh_registration_gives(name):
    assert " ".join(resolved(name).scopes) == SCOPES[name]


@pytest.mark.parametrize("name", sorted(OPENID.keys() | PLAIN.keys()))
def test_offline_access_is_asked_for_only_with_a_hint_or_where_it_is_passed_over(name):
    provider = resolved(name)

    if "offline_access" in provider.scopes and name not in ("auth0", "entra", "entra-multitenant"):
        assert provider.hints["invalid_scope"]


@pytest.mark.parametrize("name", sorted(OPENID.keys() | PLAIN.keys()))
def test_where_anybody_can_have_an_account_allow_is_demanded(name):
    assert resolved(name).public == (name in PUBLIC)


def test_google_is_asked_for_a_refresh_token_in_its_own_way():
    assert dict(resolved("google").authorization_parameters) == {"prompt": "select_account", "access_type": "offline"}


def test_cognito_logs_out_at_the_pools_domain():
    assert dict(resolved("cognito").endpoints) == {"end_session_endpoint": "https://acme.auth.eu-central-1.amazoncognito.com/logout"}


@pytest.mark.parametrize(
    ("url", "label", "landing"),
    [
        ("https://gitlab.com", "GitLab", "none"),
        ("https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_x", "Amazon Cognito", "configured"),
        ("https://acme.onelogin.com/oidc/2", "OneLogin", "configured"),
        ("https://login.microsoftonline.com/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0", "Microsoft Entra ID", "redirect_uri"),
    ],
)
def test_a_section_in_streamlits_own_form_gets_what_is_known_of_its_host(url, label, landing):
    provider = resolve("x", {"client_id": "a", "client_secret": "b", "server_metadata_url": url + WELL_KNOWN}, file="f")

    assert (provider.label, provider.logout_landing, provider.openid) == (label, landing, True)
