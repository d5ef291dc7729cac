"""Access to the cluster: a kubeconfig, or the service account of the pod."""

import base64
import binascii
import json
import os
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from responder.model.clock import Clock, Deadline
from responder.model.message import Response
from responder.model.secret import MASK, Secret
from responder.settings import Settings

if TYPE_CHECKING:
    from responder.diagnose.cluster.reader import SharedReads
    from responder.outgoing.kubernetes import ApiServer, ClusterAccess

#: Where Kubernetes puts the token, the authority and the namespace of a pod's service account.
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
#: Seconds after which a token file is read again: bound tokens are rotated about hourly.
REREAD_SECONDS = 60.0
#: Seconds that an exec plugin of a kubeconfig may take.
PLUGIN_SECONDS = 10.0
#: Characters of an own secret that is masked by value: a shorter one may be part of an ordinary word.
LEAST_MASKED = 8
#: Seconds after a run of the plugin in which it is not run again, whatever came of it.
PLUGIN_PAUSE_SECONDS = 10.0
#: Seconds before the end of a plugin's token at which it is asked for another.
_EARLY = timedelta(seconds=60)
_PLUGIN_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


class AccessError(ValueError):
    """The cluster cannot be accessed as configured. The text says what is wrong, and where."""


def cluster_access(settings: Settings, env: Mapping[str, str], account: Path = ACCOUNT) -> "ClusterAccess | None":
    """Return the access to the cluster; None if none is configured. Raises AccessError.

    RESPONDER_KUBECONFIG comes first, then KUBECONFIG of the machine, then the service account of the pod.
    """
    if settings.kubernetes == "off":
        return None
    path = settings.kubeconfig or env.get("KUBECONFIG", "").split(os.pathsep)[0].strip()
    if path:
        return from_kubeconfig(Path(path), settings.kubernetes_context)
    host = env.get("KUBERNETES_SERVICE_HOST", "")
    if host and (account / "token").exists():
        return _from_account(host, env.get("KUBERNETES_SERVICE_PORT", "443"), account)
    return None


def shared_reads(settings: Settings, env: Mapping[str, str], clock: Clock) -> "SharedReads | None":
    """Return the reads of the cluster that all probes share; None if no access is configured. Raises AccessError."""
    from responder.outgoing.kubernetes import ApiServer

    access = cluster_access(settings, env)
    if access is None:
        return None
    return reads_of(ApiServer(access, clock), clock, settings.secrets())


def reads_of(server: "ApiServer", clock: Clock, secrets: tuple[Secret, ...] = ()) -> "SharedReads":
    """Return the reads of an API server that all probes share. Own ``secrets`` are masked in what it answers."""
    from responder.diagnose.cluster.reader import SharedReads, UnseenError
    from responder.diagnose.cluster.scene import Unseen
    from responder.outgoing import UnreachableError

    hidden = _written(secrets)

    def fetch(target: str, deadline: Deadline, cap: int, accept: str) -> Response:
        try:
            return _masked(server.get(target, deadline, cap, accept), hidden)
        except UnreachableError as error:
            raise UnseenError(Unseen(what="", why=f"the API server: {error}")) from error

    return SharedReads(fetch, clock, server.close)


def _written(secrets: tuple[Secret, ...]) -> tuple[bytes, ...]:
    """Return secrets as a log and JSON write them: plain, and with the escapes of Python and of Go."""
    values = {each.reveal() for each in secrets if len(each.reveal()) >= LEAST_MASKED}
    forms = values | {json.dumps(each)[1:-1] for each in values}
    forms |= {json.dumps(each, ensure_ascii=False)[1:-1] for each in values}
    for sign in "&<>":
        forms |= {each.replace(sign, f"\\u{ord(sign):04x}") for each in forms}
    return tuple(each.encode() for each in sorted(forms, key=len, reverse=True))


def _masked(response: Response, hidden: tuple[bytes, ...]) -> Response:
    body = response.body
    for each in hidden:
        body = body.replace(each, MASK.encode())
    return replace(response, body=body.ljust(len(response.body)))  # the length says whether it was cut


def _from_account(host: str, port: str, account: Path) -> "ClusterAccess":
    from responder.outgoing.kubernetes import ClusterAccess

    name = f"[{host}]" if ":" in host else host
    return ClusterAccess(
        f"https://{name}:{port}",
        f"service account in {account}",
        lambda: ssl.create_default_context(cafile=str(account / "ca.crt")),
        TokenFile(account / "token").read,
        _text(account / "namespace"),
    )


def from_kubeconfig(path: Path, context: str = "") -> "ClusterAccess":
    """Return the access that a kubeconfig describes, for its current context or another. Raises AccessError."""
    from responder.outgoing.kubernetes import ClusterAccess

    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AccessError(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise AccessError(f"{path} is not YAML: {error}") from None
    if not isinstance(given, dict):
        raise AccessError(f"{path} is no kubeconfig")
    chosen = context or str(given.get("current-context") or "")
    wanted = _entry(path, given, "contexts", chosen, "context")
    cluster = _entry(path, given, "clusters", str(wanted.get("cluster", "")), "cluster")
    user = _entry(path, given, "users", str(wanted.get("user", "")), "user")
    server = str(cluster.get("server", ""))
    if not server.startswith("https://"):
        raise AccessError(f"{path}: the server of context {chosen} is {server or 'missing'}: write an https:// address")
    return ClusterAccess(
        server,
        f"context {chosen} of {path}",
        lambda: _tls(path, cluster, user),
        _token(path, user),
        str(wanted.get("namespace") or ""),
    )


def _entry(path: Path, given: Mapping[str, Any], key: str, name: str, inner: str) -> dict[str, Any]:
    listed = given.get(key)
    entries = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    for each in entries:
        if each.get("name") == name:
            found = each.get(inner)
            return found if isinstance(found, dict) else {}
    names = ", ".join(str(each.get("name")) for each in entries) or "none"
    raise AccessError(f"{path}: there is no {inner} {name or '(current-context is empty)'} in {key}: there is {names}")


def _tls(path: Path, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    """Return the context that verifies the server and holds the client certificate. Raises AccessError."""
    try:
        authority = _data(path, cluster, "certificate-authority")
        context = ssl.create_default_context(cadata=authority.decode("ascii") if authority else None)
        if cluster.get("insecure-skip-tls-verify") is True:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        certificate, key = _data(path, user, "client-certificate"), _data(path, user, "client-key")
        if certificate and key:
            # The ssl module reads certificates from files only.
            with tempfile.NamedTemporaryFile() as file:
                file.write(certificate + b"\n" + key)
                file.flush()
                context.load_cert_chain(file.name)
    except (ssl.SSLError, ValueError) as error:
        raise AccessError(f"{path}: a certificate or key cannot be used: {error}") from None
    return context


def _data(path: Path, given: Mapping[str, Any], key: str) -> bytes:
    """Return what a kubeconfig gives in base64 (``KEY-data``) or in a file beside it; empty for neither."""
    if inline := given.get(f"{key}-data"):
        try:
            return base64.b64decode(str(inline), validate=True)
        except binascii.Error:
            raise AccessError(f"{path}: {key}-data is not base64") from None
    if name := given.get(key):
        file = path.parent / str(name)
        try:
            return file.read_bytes()
        except OSError as error:
            raise AccessError(f"{path}: {key} {file} cannot be read: {error.strerror}") from None
    return b""


def _token(path: Path, user: Mapping[str, Any]) -> Callable[[bool], Secret]:
    """Return the source of the bearer token. Basic authentication is no longer served by Kubernetes."""
    if plugin := user.get("exec"):
        return PluginToken(path, plugin).read
    if file := user.get("tokenFile"):
        return TokenFile(path.parent / str(file)).read
    fixed = Secret(str(user.get("token") or ""))
    return lambda _anew: fixed


class TokenFile:
    """A token in a file, which is read again after a while, and when the server refuses it. Safe between threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._token = Secret("")

    def read(self, anew: bool) -> Secret:
        """Return the token. Raises OSError."""
        with self._lock:
            now = time.monotonic()
            if anew or now - self._read_at > REREAD_SECONDS:
                self._token, self._read_at = Secret(self._path.read_text("utf-8").strip()), now
            return self._token


class PluginToken:
    """A token of the exec plugin that the operator's kubeconfig names, for example ``aws eks get-token``."""

    def __init__(self, path: Path, plugin: Any) -> None:
        command = plugin.get("command") if isinstance(plugin, dict) else None
        if not command or plugin.get("apiVersion") not in _PLUGIN_VERSIONS:
            raise AccessError(f"{path}: the exec plugin has no command, or an apiVersion other than v1 and v1beta1")
        try:
            self._argv = [str(command), *(str(each) for each in plugin.get("args") or ())]
            self._env = {str(each["name"]): str(each["value"]) for each in plugin.get("env") or ()}
        except (TypeError, KeyError):
            raise AccessError(
                f"{path}: args of the exec plugin is no list, or env no list of names and values"
            ) from None
        self._version = str(plugin["apiVersion"])
        self._lock = threading.Lock()
        self._token = Secret("")
        self._until = datetime.min.replace(tzinfo=UTC)
        self._ran_at = float("-inf")
        self._problem = ""

    def read(self, anew: bool) -> Secret:
        """Return the token, of the plugin or of its last run while that is valid. Raises ValueError.

        The requests of a page that all need another token share one run, and its failure.
        """
        with self._lock:
            if (anew or datetime.now(UTC) >= self._until) and time.monotonic() - self._ran_at > PLUGIN_PAUSE_SECONDS:
                try:
                    self._problem = ""
                    self._run()
                except ValueError as error:
                    self._problem = str(error)
                finally:
                    self._ran_at = time.monotonic()
            if self._problem:
                raise ValueError(self._problem)
            return self._token

    def _run(self) -> None:
        info = {"apiVersion": self._version, "kind": "ExecCredential", "spec": {"interactive": False}}
        env = os.environ | self._env | {"KUBERNETES_EXEC_INFO": json.dumps(info)}
        try:
            done = subprocess.run(self._argv, env=env, capture_output=True, timeout=PLUGIN_SECONDS, check=True)  # noqa: S603 - the operator's own file names the program
            status = json.loads(done.stdout)["status"]
            token = Secret(str(status["token"]))
            written = status.get("expirationTimestamp")
            until = datetime.fromisoformat(written) - _EARLY if written else datetime.now(UTC) + timedelta(minutes=10)
        except subprocess.TimeoutExpired:
            raise ValueError(f"the exec plugin {self._argv[0]} did not end within {PLUGIN_SECONDS:g} s") from None
        except subprocess.CalledProcessError as error:
            raise ValueError(f"the exec plugin {self._argv[0]} failed with exit code {error.returncode}") from None
        except OSError as error:
            raise ValueError(f"the exec plugin {self._argv[0]} cannot be run: {error.strerror}") from None
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"the exec plugin {self._argv[0]} printed no token") from None
        self._token, self._until = token, until if until.tzinfo else until.replace(tzinfo=UTC)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        return ""
