"""The signature algorithms that we take, each with the kind of key and the digest it goes with. Never `none`, never HMAC."""

__all__ = ["ALGORITHMS", "CURVES", "DIGESTS", "KEY_TYPES"]

CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519", "Ed25519": "Ed25519"}
KEY_TYPES = {
    "RS256": "RSA",
    "PS256": "RSA",
    "ES256": "EC",
    "EdDSA": "OKP",
    "RS384": "RSA",
    "RS512": "RSA",
    "PS384": "RSA",
    "PS512": "RSA",
    "ES384": "EC",
    "ES512": "EC",
    "Ed25519": "OKP",
}
DIGESTS = {name: "sha512" if kind == "OKP" else f"sha{name[2:]}" for name, kind in KEY_TYPES.items()}
ALGORITHMS = tuple(KEY_TYPES)
