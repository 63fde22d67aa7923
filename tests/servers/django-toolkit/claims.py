"""What the site says about a person in ID tokens and userinfo, in the way that the toolkit documents."""

from typing import ClassVar

from oauth2_provider.oauth2_validators import OAuth2Validator


class Claims(OAuth2Validator):
    """Name and address, beside the subject, which is the row's number."""

    oidc_claim_scope: ClassVar = {"sub": "openid", "name": "profile", "email": "email", "email_verified": "email"}

    def get_additional_claims(self, request):
        person = request.user
        return {"name": person.get_full_name(), "email": person.email, "email_verified": True}
