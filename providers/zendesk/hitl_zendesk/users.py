"""Customers: found or made, never re-keyed, renamed or demoted (behaviours S227, F35)."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

from pydantic import JsonValue

import hitl_core as hitl
from hitl_core.rendering import shorten
from hitl_zendesk.api import Api
from hitl_zendesk.facts import number
from hitl_zendesk.refusals import USERS, refused_by

__all__ = ["Customers"]

_OPERATION: Final = "create_user"
_NAMELESS: Final = "Visitor"
_LONGEST_NAME: Final = hitl.TextLimit(max=255)
_LONGEST_PHOTO: Final = 255
_PHOTO: Final = "remote_photo_url"


class Customers:
    """The account's end users."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def put(self, request: hitl.CreateUser) -> hitl.ExternalUser:
        """Return the customer: by our id, by their address, else a new one.

        Whoever exists is taken as they are. Writing is limited to one a second for a whole account, so it is done for
        those alone who are nowhere to be found.
        """
        user, known = request.user, request.known
        key = user.external_id or (f"mail-{_digest(user.email)}" if user.email else request.key)
        if known is not None and number(known.id):
            return known
        found = await self._by_key(key) or (await self._by_email(user.email) if user.email else None)
        if found is None:
            found = await self._make(key, user)
        return hitl.ExternalUser(id=str(found["id"]), url=self._api.page_of("users", str(found["id"])), name=user.name)

    async def put_bot(self, name: str, photo: str | None) -> str:
        """Return the id of an end user that stands for the bot, so that agents see its name (behaviour S229).

        Written only when its name or picture is another than before.
        """
        api = self._api
        key = f"hitl-bot:{_digest(api.ctx.key)}"
        state = await api.ctx.state.get("bot")
        value: dict[str, JsonValue] = {"name": name, "photo": photo, "id": None}
        if state is not None and isinstance(state.value, dict):
            value["id"] = state.value.get("id")
            if state.value == value and value["id"]:
                return str(value["id"])
        made = await self._upsert({"external_id": key, "name": shorten(name, _LONGEST_NAME), **self._photo(photo)})
        value["id"] = str(made["id"])
        await api.ctx.state.put("bot", value, state.version if state else None)
        return str(made["id"])

    async def _by_key(self, key: str) -> Mapping[str, Any] | None:
        users = (await self._api.call(_OPERATION, "GET", "users", params={"external_id": key}))["users"]
        same = (user for user in users if str(user.get("external_id") or "").casefold() == key.casefold())
        return next(same, None)

    async def _by_email(self, email: str) -> Mapping[str, Any] | None:
        """Return who has this address; it is a quoted term of the search, so that nothing in it is an operator."""
        term = '"' + email.strip().replace('"', "") + '"'
        params = {"query": f"email:{term}"}
        users = (await self._api.call(_OPERATION, "GET", "users/search", params=params))["users"]
        same = (user for user in users if str(user.get("email") or "").casefold() == email.strip().casefold())
        return next(same, None)

    async def _make(self, key: str, user: hitl.EndUser) -> Mapping[str, Any]:
        name = shorten((user.name or _NAMELESS).strip() or _NAMELESS, _LONGEST_NAME)
        body: dict[str, Any] = {"external_id": key, "name": name, "role": "end-user", **self._photo(user.avatar_url)}
        if not user.email or (user.external_id and not self._api.settings.share_email):
            return await self._upsert(body)
        # An upsert would match by address as well, and rewrite whoever has it; so a person with an address is created,
        # and a refusal says that somebody has it, or has been created meanwhile.
        mail = {**body, "email": user.email.strip(), "skip_verify_email": True}
        answer = await self._api.http.post(
            "users", operation=_OPERATION, json={"user": mail}, accept={422}, repeatable=True
        )
        if answer.status != 422:
            return _user(answer.json())
        found = await self._by_key(key) or await self._by_email(user.email)
        if found is None and not {"email", "external_id", "identities", "base"} & refused_by(answer).keys():
            msg = "Zendesk does not accept the customer; check name and address"
            raise hitl.InvalidRequestError(msg, operation=_OPERATION, status=422)
        return found or await self._upsert(body)

    async def _upsert(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = await self._api.http.post(
            "users/create_or_update", operation=_OPERATION, json={"user": body}, repeatable=True, scopes=(USERS,)
        )
        return _user(answer.json())

    def _photo(self, url: str | None) -> dict[str, str]:
        if not url or not url.lower().startswith(("https://", "http://")):
            return {}
        if len(quote(url, safe="%/:?#[]@!$&'()*+,;=-._~")) > _LONGEST_PHOTO:
            self._api.ctx.log.warning("a picture was left out: its address is longer than Zendesk takes")
            return {}
        return {_PHOTO: url}


def _user(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    user: Mapping[str, Any] = answer["user"]
    return user


def _digest(text: str) -> str:
    return sha256(text.strip().lower().encode("utf-8", "surrogatepass")).hexdigest()[:32]
