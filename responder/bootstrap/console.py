"""Build the console: its access from the settings, and the rules in force from the database."""

import threading
import time
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

from flask import Flask

from responder.bootstrap.channels import silences, vendors
from responder.bootstrap.rulebook import kept_book
from responder.console import actions, api, pages, runbooks, sign_in, silencing, tools
from responder.console.access import Access
from responder.console.app import Console, create_app
from responder.console.sign_in import OpenId
from responder.model.clock import Clock
from responder.model.rule import RuleBook
from responder.outgoing.openid import OpenIdProvider
from responder.settings import Settings
from responder.settings import access as words
from responder.store.database import Database
from responder.store.maintenance import kept_rules


class RulesInForce:
    """The rules as ``serve`` stored them, read again when their revision changes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._revision = ""
        self._book: RuleBook | None = None

    def book(self) -> RuleBook | None:
        """Return the rules; None if none are stored, or if another version of responder wrote them."""
        if kept_rules.revision(self._database) == self._revision:
            return self._book
        with self._lock:
            text = kept_rules.load(self._database)
            if text is not None and text.revision != self._revision:
                self._book, self._revision = kept_book(text), text.revision
            return self._book


def access_of(settings: Settings, login: str = "", provider: OpenId | None = None) -> Access:
    """Return the ways to sign in. ``login`` names the only user where no sign-in is required."""
    peers = filter(None, map(str.strip, settings.console_proxy_peers.split(",")))
    return Access(
        local=login if settings.console_auth == "none" else "",
        users=words.users(settings.console_users.reveal()),
        header=settings.console_proxy_header,
        groups=settings.console_groups_header,
        peers=tuple(map(ip_network, peers)),
        granted=words.grants(settings.console_roles),
        session=provider.session if provider else None,
        tokens=words.tokens(settings.api_token.reveal()),
    )


def sign_in_of(settings: Settings, clock: Clock) -> OpenId | None:
    """Return the sign-in by an OpenID Connect provider; None without one."""
    if not settings.console_oidc_issuer or settings.console_auth == "none":
        return None
    provider = OpenIdProvider(
        outgoing=vendors(settings, clock),
        clock=clock,
        issuer=settings.console_oidc_issuer,
        client_id=settings.console_oidc_client_id,
        client_secret=settings.console_oidc_client_secret,
        redirect_uri=f"{settings.console_url.rstrip('/')}/login/callback",
        scopes=settings.console_oidc_scopes,
    )
    return OpenId(
        provider=provider,
        clock=clock,
        name_claim=settings.console_oidc_name_claim,
        groups_claim=settings.console_oidc_groups_claim,
        granted=words.grants(settings.console_roles),
    )


def console_app(settings: Settings, clock: Clock, explain: Callable[[str], str], login: str = "") -> Flask:
    """Build the application. Call it after the fork: it opens connections."""
    database = Database(settings.database_url.reveal(), create=False)
    provider = sign_in_of(settings, clock)
    console = Console(
        database=database,
        clock=clock,
        access=access_of(settings, login, provider),
        book=RulesInForce(database).book,
        runbooks=Path(settings.runbooks),
        runbook_base_url=settings.runbook_base_url,
        explain=explain,
        settings=tuple(settings.rows()),
        url=settings.console_url,
        wait=time.sleep,
    )
    parts = [each.blueprint(console) for each in (pages, actions, tools, runbooks, api)]
    parts.append(silencing.blueprint(console, silences(settings, clock)))
    if provider is not None:
        parts.append(sign_in.blueprint(console, provider))
    return create_app(console, *parts)
