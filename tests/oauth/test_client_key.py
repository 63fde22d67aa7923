import copy
import pickle

import pytest
from cryptography.hazmat.primitives.serialization import PrivateFormat
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from st_auth.oauth.client_key import ClientKey, read_client_key
from tests.oauth.keys import key_file, private_pem, public_pem

KINDS = {"RSA": RSAKey, "P-256": ECKey, "Ed25519": OKPKey}


def refusal(path) -> str:
    with pytest.raises(ValueError, match=" ") as caught:
        read_client_key(path)
    what, mend = caught.value.args
    assert mend
    return what


@pytest.mark.parametrize(
    ("kind", "supported", "algorithm"),
    [
        ("RSA", (), "RS256"),
        ("RSA", ("RS256", "PS256"), "PS256"),
        ("RSA", ("HS256", "RS256"), "RS256"),
        ("RSA", ("ES256", "HS256", "none"), None),
        ("P-256", (), "ES256"),
        ("P-256", ("RS256", "ES256"), "ES256"),
        ("P-256", ("ES384",), None),
        ("Ed25519", (), "EdDSA"),
        ("Ed25519", ("Ed25519",), "Ed25519"),
        ("Ed25519", ("Ed25519", "EdDSA"), "EdDSA"),
    ],
)
def test_the_kind_of_key_and_the_metadata_decide_the_algorithm(tmp_path, kind, supported, algorithm):
    assert read_client_key(key_file(tmp_path, kind)).algorithm(supported) == algorithm


@pytest.mark.parametrize(
    ("kind", "algorithm"), [("RSA", "PS256"), ("RSA", "RS256"), ("P-256", "ES256"), ("Ed25519", "EdDSA"), ("Ed25519", "Ed25519")]
)
def test_what_it_signs_its_public_half_verifies(tmp_path, kind, algorithm):
    signed = read_client_key(key_file(tmp_path, kind), "k1").sign(b'{"a":1}', algorithm)

    registry = jws.JWSRegistry(algorithms=[algorithm])
    registry.get_alg = lambda name: jws.JWSRegistry.algorithms[name]
    verified = jws.deserialize_compact(signed.reveal(), KINDS[kind].import_key(public_pem(kind)), registry=registry)
    assert verified.payload == b'{"a":1}'
    assert verified.headers() == {"alg": algorithm, "typ": "JWT", "kid": "k1"}


def test_without_an_id_the_header_names_none(tmp_path):
    signed = read_client_key(key_file(tmp_path)).sign(b"{}", "ES256")

    assert "kid" not in jws.extract_compact(signed.reveal().encode()).headers()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "cannot be read"),
        (b"", "no private key in PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nxyz\n-----END PRIVATE KEY-----\n", "cannot be read"),
        (private_pem("P-256", form=PrivateFormat.TraditionalOpenSSL), "no private key in PEM"),
        (private_pem("P-256", password=b"x"), "with a password"),
        (public_pem("P-256"), "no private key in PEM"),
        (private_pem("P-384"), "neither RSA nor EC P-256 nor Ed25519"),
        (private_pem("secp256k1"), "neither RSA nor EC P-256 nor Ed25519"),
        (private_pem("Ed448"), "neither RSA nor EC P-256 nor Ed25519"),
    ],
    ids=["missing", "empty", "garbage", "SEC1", "password", "public", "P-384", "secp256k1", "Ed448"],
)
def test_a_file_that_is_of_no_use_is_refused_with_a_way_to_mend_it(tmp_path, content, what):
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)

    assert what in refusal(path)


def test_a_path_that_no_system_has_is_refused(tmp_path):
    assert "cannot be read" in refusal(tmp_path / "a\0b")
    assert "cannot be read" in refusal(tmp_path)


def test_no_more_than_64_kib_of_a_file_are_read(tmp_path):
    path, pem = tmp_path / "key.pem", private_pem("P-256").rstrip()

    path.write_bytes(pem.rjust(64 * 1024))
    assert read_client_key(path).algorithm(()) == "ES256"

    path.write_bytes(pem.rjust(64 * 1024 + 1))
    assert "cannot be read" in refusal(path)


def test_f2_19_an_rsa_key_under_2048_bits_is_refused(tmp_path):
    assert "under 2048 bits" in refusal(key_file(tmp_path, "RSA-1024"))


def test_a_public_key_signs_nothing():
    with pytest.raises(ValueError, match="public key"):
        ClientKey(ECKey.import_key(public_pem("P-256")))


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_does_not_print_pickle_or_copy(tmp_path, way):
    key = read_client_key(key_file(tmp_path))

    assert (repr(key), str(key), f"{key}") == ("ClientKey(***)",) * 3
    with pytest.raises(TypeError):
        way(key)
