"""Private keys of clients, as openssl would write them: made once in a process."""

from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat, PublicFormat

_MAKE = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "RSA-1024": lambda: rsa.generate_private_key(65537, 1024),
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "Ed448": ed448.Ed448PrivateKey.generate,
}


@cache
def _key(kind):
    return _MAKE[kind]()


def private_pem(kind: str, password: bytes | None = None, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    hidden = BestAvailableEncryption(password) if password else NoEncryption()
    return _key(kind).private_bytes(Encoding.PEM, form, hidden)


def public_pem(kind: str) -> bytes:
    return _key(kind).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def key_file(folder: Path, kind: str = "P-256") -> Path:
    """Write the key of that kind into a file and return where."""
    path = folder / f"{kind}.pem"
    path.write_bytes(private_pem(kind))
    return path
