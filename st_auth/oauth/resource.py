"""Resource indicators: for which API an access token is asked (RFC 8707)."""

from st_auth.oauth.profile import Provider

__all__ = ["resource_parameters"]


def resource_parameters(provider: Provider) -> list[tuple[str, str]]:
    """Return what goes along with each request for a grant or a token, refreshes too: one `resource` for each that is configured."""
    return [("resource", uri) for uri in provider.resource]
