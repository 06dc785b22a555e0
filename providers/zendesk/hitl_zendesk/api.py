"""Zendesk's REST API, as far as every part of the provider needs it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import hitl_core as hitl
from hitl_core.http import Auth, BasicAuth, BearerAuth, HttpResponse, OAuthTokens, segment
from hitl_zendesk.facts import number
from hitl_zendesk.refusals import classify, limits
from hitl_zendesk.settings import ZendeskSettings

__all__ = ["Api"]

_STAFF: Final = frozenset({"agent", "admin"})
_MANY_USERS: Final = 500
_GONE: Final = frozenset({"deleted", "scrubbed"})


class Api:
    """The account, its credentials, and whom we have met there."""

    def __init__(self, ctx: hitl.ProviderContext[ZendeskSettings]) -> None:
        self.ctx = ctx
        self.settings = ctx.settings
        root = ctx.settings.root
        self.http = ctx.http.bind(
            base_url=f"{root}/api/v2", auth=self._auth(), key_header="Idempotency-Key", classify=classify, limits=limits
        )
        self.site = ctx.http.bind(base_url=root, auth=self.http.binding.auth if self.http.binding else None)
        """The account's own host beyond its API, where files are."""
        self._users: dict[str, Mapping[str, Any]] = {}

    def _auth(self) -> Auth:
        settings, ctx = self.settings, self.ctx
        if settings.client_id is not None and settings.client_secret is not None:
            return OAuthTokens(
                ctx.http.bind(base_url=settings.root, key_header=None),
                ctx.state,
                ctx.clock,
                path="oauth/tokens",
                client_id=settings.client_id,
                client_secret=settings.client_secret,
                refresh_token=settings.refresh_token,
                extra={"scope": settings.scope},
            )
        if settings.email is not None and settings.api_token is not None:
            ctx.log.log(
                logging.WARNING,
                "Zendesk is withdrawing API tokens: no new ones since 2026-10-27, and none works after 2027-04-30; "
                "make an OAuth client and set client_id and client_secret",
            )
            return BasicAuth(f"{settings.email}/token", settings.api_token)
        assert settings.access_token is not None  # noqa: S101 - the settings see to it
        return BearerAuth(settings.access_token)

    async def call(
        self, operation: str, method: str, path: str, *, accept: Collection[int] = (), **request: Any
    ) -> Any:
        """Call the API and read its JSON, whatever content type it has; ``None`` for an empty answer."""
        response = await self.http.request(method, path, operation=operation, accept=accept, **request)
        return _read(response)

    # People ---------------------------------------------------------------------------------------------------

    async def me(self, operation: str) -> Mapping[str, Any]:
        """Return the user we act as.

        :raises AuthenticationError: nobody, as Zendesk answers some wrong credentials, or no agent.
        """
        user = (await self.call(operation, "GET", "users/me"))["user"]
        if number(user.get("id")) is None or user.get("role") not in _STAFF:
            msg = "the credentials act as no agent of this account; make the OAuth client, or its token, as an agent"
            raise hitl.AuthenticationError(msg, operation=operation)
        return _mapping(user)

    async def my_id(self) -> str:
        """Return the id of the user we act as; asked once."""
        return (await self.ctx.identity()).id

    @property
    def met(self) -> Mapping[str, Mapping[str, Any]]:
        """Who is known already, by id."""
        return self._users

    def meet(self, users: Collection[Mapping[str, Any]]) -> None:
        """Remember people a read brought along."""
        for user in users:
            if (id_ := number(user.get("id"))) is not None:
                if len(self._users) >= _MANY_USERS:
                    self._users.pop(next(iter(self._users)))
                self._users[id_] = user

    async def people(self, operation: str, ids: Collection[str]) -> dict[str, Mapping[str, Any]]:
        """Return what is known of users; those not met yet are read. One who is gone is known by id alone."""
        wanted = [id_ for id_ in dict.fromkeys(ids) if not id_.startswith("-")]
        for id_ in wanted:
            if id_ not in self._users:
                try:
                    self.meet([(await self.call(operation, "GET", f"users/{segment(id_)}"))["user"]])
                except hitl.NotFoundError:
                    self.meet([{"id": id_}])
        return {id_: self._users[id_] for id_ in wanted if id_ in self._users}

    # Tickets --------------------------------------------------------------------------------------------------

    async def ticket(self, operation: str, id_: str) -> Mapping[str, Any]:
        """Return a ticket.

        :raises NotFoundError: it was deleted, or never was.
        """
        ticket = _mapping((await self.call(operation, "GET", f"tickets/{segment(id_)}"))["ticket"])
        if ticket.get("status") in _GONE:
            msg = "the ticket was deleted"
            raise hitl.NotFoundError(msg, operation=operation, subject="session")
        return ticket

    def own_path(self, url: str) -> str | None:
        """Return path and query of an address on the account's own host, where our credentials may go; else ``None``.

        Answers name the account's usual host, also when it is reached by another one.
        """
        parts = urlsplit(url)
        hosts = {urlsplit(self.settings.root).netloc.lower(), f"{self.settings.subdomain}.zendesk.com"}
        if parts.netloc.lower() not in hosts:
            return None
        return f"{parts.path.lstrip('/')}{'?' + parts.query if parts.query else ''}"

    def page_of(self, what: Literal["tickets", "users"], id_: str) -> str:
        """Return the address where agents see a ticket or a person."""
        return f"{self.settings.root}/agent/{what}/{segment(id_)}"


def _read(response: HttpResponse) -> Any:
    return response.json() if response.body.strip() else None


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        msg = "Zendesk answered with something other than a record"
        raise hitl.ProviderError(msg)
    return value
