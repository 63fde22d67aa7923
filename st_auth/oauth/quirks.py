"""What a provider may do otherwise than the specifications say: a closed list, each with one implementation and one test.

None of them turns off a check.
"""

__all__ = ["ISSUER_NAMES_THE_TENANT", "LOGOUT_TAKES_LOGOUT_URI", "QUIRKS", "SCOPE_WITH_COMMAS"]

# The metadata's issuer holds `{tenantid}`, and a token's issuer has the token's own `tid` there (`oauth/tenants.py`).
ISSUER_NAMES_THE_TENANT = "issuer_names_the_tenant"
# Its logout wants `logout_uri`, a landing page that is registered, and refuses without one (`client.py`).
LOGOUT_TAKES_LOGOUT_URI = "logout_takes_logout_uri"
# The scope in a token response has commas between its words and no spaces (`oauth/dialect.py`).
SCOPE_WITH_COMMAS = "scope_with_commas"

QUIRKS = (ISSUER_NAMES_THE_TENANT, LOGOUT_TAKES_LOGOUT_URI, SCOPE_WITH_COMMAS)
