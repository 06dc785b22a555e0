"""Customers: found by our id or made (behaviour S250, S251); who exists is never renamed or re-keyed (F35)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import hitl_core as hitl
from hitl_core.rendering import shorten
from hitl_zendesk.messaging.api import SunshineApi

__all__ = ["settle_user"]

_OPERATION: Final = "create_user"
_MAIL: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_PICTURE: Final = re.compile(r"https?://\S+", re.IGNORECASE)
_MAX_NAME: Final = hitl.TextLimit(max=128)
_MAX_ID, _MAX_MAIL, _MAX_PICTURE, _MAX_LOCALE = 1024, 128, 2048, 64


async def settle_user(api: SunshineApi, request: hitl.CreateUser) -> hitl.ExternalUser:
    """Return the customer: who is known, who has our id, or somebody new.

    An ``external_id`` that is a Zendesk Support user's links the two; there is no other way (behaviour S251).
    """
    known, external_id = request.known, _external_id(request)
    if known is not None:
        found = await api.user(_OPERATION, known.id)
        if found is not None:
            return _user(found, request.user)
    found = await _found(api, external_id)
    if found is None:
        found = await api.create_user(_OPERATION, {"externalId": external_id, "profile": _profile(request.user)})
    if found is None:  # somebody else was first, or the answer to our own try was lost
        found = await _found(api, external_id)
    if found is None:
        msg = "Zendesk says that the customer's external id is taken, and finds nobody by it; try again later"
        raise hitl.ConflictError(msg, operation=_OPERATION, status=409, subject="user")
    return _user(found, request.user)


async def _found(api: SunshineApi, external_id: str) -> Mapping[str, Any] | None:
    """Look somebody up by our id; the same call finds people by Zendesk's own, which is nobody of ours."""
    found = await api.user(_OPERATION, external_id)
    return found if found is not None and found.get("externalId") in {None, external_id} else None


def _external_id(request: hitl.CreateUser) -> str:
    """Return what the customer is found by; paths are logged, so it is never an address."""
    user = request.user
    if user.external_id:
        return _fitting(user.external_id)
    if user.email:
        mail = user.email.strip().lower()
        return f"mail-{_digest(mail)[:32]}"
    return _fitting(request.key)


def _fitting(id: str) -> str:
    return id if len(id) <= _MAX_ID and id.strip() == id and not _MAIL.fullmatch(id) else f"id-{_digest(id)[:32]}"


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _profile(user: hitl.EndUser) -> dict[str, str]:
    """Return what is written of somebody new: the first word of the name is the given name (behaviour S250)."""
    given, _, rest = " ".join((user.name or "").split()).partition(" ")
    profile = {
        "givenName": shorten(given, _MAX_NAME) if given else None,
        "surname": shorten(rest, _MAX_NAME) if rest else None,
        "email": _mail(user.email),
        "avatarUrl": user.avatar_url if _fits(user.avatar_url, _PICTURE, _MAX_PICTURE) else None,
        "locale": user.locale if user.locale and len(user.locale) <= _MAX_LOCALE else None,
    }
    return {name: value for name, value in profile.items() if value}


def _mail(email: str | None) -> str | None:
    stripped = email.strip() if email else None
    return stripped if _fits(stripped, _MAIL, _MAX_MAIL) else None


def _fits(value: str | None, form: re.Pattern[str], most: int) -> bool:
    return value is not None and len(value) <= most and form.fullmatch(value) is not None


def _user(found: Mapping[str, Any], asked: hitl.EndUser) -> hitl.ExternalUser:
    """Return a record as the helpdesk has it; beside it the address the bot knows, which agents are told."""
    profile = found.get("profile")
    profile = profile if isinstance(profile, dict) else {}
    name = " ".join(part for part in (profile.get("givenName"), profile.get("surname")) if isinstance(part, str))
    email = profile.get("email")
    data = {"email": email if isinstance(email, str) else None, "contact": _mail(asked.email)}
    return hitl.ExternalUser(
        id=str(found["id"]), name=name or asked.name, data={key: value for key, value in data.items() if value}
    )
