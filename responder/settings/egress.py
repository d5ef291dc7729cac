"""Settings of outgoing connections: the machine's proxy variables, and checks of proxies and certificates."""

import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

#: Setting, and the machine's variable that is used if the setting is empty.
_FALLBACKS: Final = {
    "RESPONDER_PROXY_URL": "HTTPS_PROXY",
    "RESPONDER_HTTP_PROXY_URL": "HTTP_PROXY",
    "RESPONDER_NO_PROXY": "NO_PROXY",
}


def with_proxies(env: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return ``env`` with the machine's proxy variables as settings, and in which variable each of these was written.

    RESPONDER_PROXY_URL is for http:// addresses, too: where it is set, the machine's HTTP_PROXY is not read.
    """
    found, written_in = dict(env), {}
    for ours, theirs in _FALLBACKS.items():
        if _given(env, ours):
            continue
        if ours == "RESPONDER_HTTP_PROXY_URL" and (own := _given(env, "RESPONDER_PROXY_URL")):
            found |= {name.replace("RESPONDER_", "RESPONDER_HTTP_"): value for name, value in own.items()}
            written_in[ours] = "RESPONDER_PROXY_URL"
        elif value := (env.get(theirs) or env.get(theirs.lower()) or "").strip():
            # Curl and Go take an address without a scheme, too.
            found[ours] = value if ours == "RESPONDER_NO_PROXY" or "://" in value else f"http://{value}"
            written_in[ours] = theirs
    return found, written_in


def _given(env: Mapping[str, str], name: str) -> dict[str, str]:
    return {each: env[each] for each in (name, f"{name}_FILE") if env.get(each, "").strip()}


def proxy_problem(url: str) -> str:
    """Return what is wrong with the address of a proxy, without repeating it; empty if it can be used."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0) and parts.path in {"", "/"}
    except ValueError:
        usable = False
    if not url.startswith("http://") or not usable:
        return "is not http://HOST:PORT or http://USER:PASSWORD@HOST:PORT (HTTPS passes through it encrypted)"
    return ""


def ca_problem(path: str) -> str:
    """Return what is wrong with a file of certificates, empty if it can be used."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return f"is {path}: the file has no certificate in PEM format"
    except OSError as error:
        return f"is {path}: the file cannot be read: {error.strerror}"
    return ""


def client_certificate_problem(certificate: str, key: str) -> str:
    """Return what is wrong with the files of a client certificate, empty if they can be used."""
    try:
        # The key is not asked for a passphrase: that would wait for a terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        return (
            f"is {certificate}, with the key {key}: they are no pair in PEM format without passphrase ({error.reason})"
        )
    except OSError as error:
        return f"is {certificate}, with the key {key}: a file cannot be read: {error.strerror}"
    return ""
