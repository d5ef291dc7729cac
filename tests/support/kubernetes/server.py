"""The Kubernetes API of a scenario over TLS, with a bearer token, and a kubeconfig to reach it."""

import json
import re
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Self

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from responder.standins.cluster.api import Cluster, failure
from responder.standins.server import Call, Reply, StandIn
from tests.support.kubernetes.discovery import document, reviewed

#: Reads that no reader of responder's may ask for.
_FORBIDDEN = re.compile(r"/secrets\b|/configmaps\b|/pods/[^/]+/(exec|attach|portforward|proxy)\b|/proxy\b")
TOKEN = "scenario-token-0123456789"


class KubernetesStandIn(StandIn):
    """Serves a cluster. ``refused`` are the requests that no reader may send: anything but GET, Secrets, exec."""

    def __init__(self, cluster: Cluster, folder: Path, *, days: int = 1) -> None:
        """``days`` is how long the certificate is valid; it expired where they are below 0."""
        super().__init__()
        self.cluster = cluster
        self.refused: list[str] = []
        self._folder = folder
        self._certificate = self_signed(folder, days)

    def start(self) -> Self:
        """Serve over TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        return super().start()

    def answer(self, call: Call) -> Reply:
        """Answer as the API server does: 401 without the token, 403 and 404 as a Status."""
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            return _json(failure(401, "Unauthorized"))
        if call.method == "POST" and call.path.endswith("/selfsubjectaccessreviews"):
            return self._review(call.body)
        if call.method != "GET" or _FORBIDDEN.search(call.path):
            with self.lock:
                self.refused.append(f"{call.method} {call.path}")
            return _json(failure(405, "the server does not allow this method on the requested resource"))
        if (discovered := document(call.path.partition("?")[0])) is not None:
            return _json((200, json.dumps(discovered).encode()))
        with self.lock:
            return _json(self.cluster.answer(call.path, as_table="as=Table" in call.headers.get("accept", "")))

    def kubeconfig(self) -> Path:
        """Write a kubeconfig whose current context leads here. Returns its path."""
        path = self._folder / "kubeconfig"
        cluster = {
            "server": f"https://127.0.0.1:{self.port}",
            "certificate-authority": str(self._certificate),
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "scenario",
            "clusters": [{"name": "scenario", "cluster": cluster}],
            "users": [{"name": "responder", "user": {"token": TOKEN}}],
            "contexts": [{"name": "scenario", "context": {"cluster": "scenario", "user": "responder"}}],
        }
        path.write_text(yaml.safe_dump(config), "utf-8")
        return path

    def _review(self, body: bytes) -> Reply:
        asked = reviewed(body) if body.startswith(b"k8s\x00") else json.loads(body)["spec"]["resourceAttributes"]
        resource = "/".join(filter(None, (asked["resource"], asked.get("subresource", ""))))
        allowed = resource not in self.cluster.deny and asked["verb"] in {"get", "list"}
        answer = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1"}
        return _json((201, json.dumps({**answer, "status": {"allowed": allowed}}).encode()))


def _json(answer: tuple[int, bytes]) -> Reply:
    return Reply(answer[0], answer[1], {"Content-Type": "application/json"})


def self_signed(folder: Path, days: int) -> Path:
    """Write a self-signed certificate for 127.0.0.1 with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "kube-apiserver.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path
