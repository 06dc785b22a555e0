"""``users``: make, find, change, and the upsert with its own rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from hitl_zendesk.simulator.account import Account
from hitl_zendesk.simulator.answering import Answer, Call, Row
from hitl_zendesk.simulator.kinds import Fit, anything, fitted, flag, number, text, words
from hitl_zendesk.simulator.limits import Limits
from hitl_zendesk.simulator.paging import paged
from hitl_zendesk.simulator.records import User
from hitl_zendesk.simulator.refusals import invalid
from hitl_zendesk.simulator.shown import Shown

__all__ = ["user_rows"]

_LONGEST_PHOTO_URL: Final = 255
_ROLES: Final = frozenset({"end-user", "agent", "admin"})
_FACTS: Final[dict[str, Fit]] = {
    **dict.fromkeys(("alias", "details", "notes", "remote_photo_url", "signature", "time_zone"), text),
    "organization_id": number,
    "tags": words,
    "user_fields": anything,
}
_KNOWN: Final[dict[str, Fit]] = {
    **_FACTS,
    **dict.fromkeys(("name", "email", "role", "external_id", "phone", "locale"), text),
    **dict.fromkeys(("verified", "suspended", "skip_verify_email"), flag),
    **dict.fromkeys(("locale_id", "identities", "organization", "password", "photo", "brand_id"), anything),
    **dict.fromkeys(("custom_role_id", "default_group_id", "moderator", "only_private_comments"), anything),
    **dict.fromkeys(("ticket_restriction", "shared_phone_number", "restricted_agent"), anything),
}


def user_rows(account: Account, shown: Shown, limits: Limits) -> list[Row]:
    """Return what is answered here."""
    api = _Users(account, shown, limits)
    return [
        ("GET", "users/me", api.me),
        ("GET", "users/search", api.search),
        ("GET", "users/show_many", api.show_many),
        ("POST", "users/create_or_update", api.create_or_update),
        ("GET", "users", api.every),
        ("POST", "users", api.create),
        ("GET", "users/{id}", api.show),
        ("PUT", "users/{id}", api.update),
        ("DELETE", "users/{id}", api.delete),
        ("GET", "users/{id}/identities", api.identities),
        ("GET", "users/{id}/tickets/requested", api.requested),
    ]


class _Users:
    def __init__(self, account: Account, shown: Shown, limits: Limits) -> None:
        self._account, self._shown, self._limits = account, shown, limits

    def me(self, call: Call) -> Any:
        return {"user": self._shown.user(call.caller) | {"authenticity_token": "simulated"}}

    def every(self, call: Call) -> Any:
        users = sorted(self._account.users.values(), key=lambda user: user.id)
        if (wanted := call.query.get("external_id")) is not None:
            found = self._account.by_external_id(wanted) if wanted else None
            users = [found] if found else []
        if role := call.query.get("role"):
            users = [user for user in users if user.role == role]
        return self._page(call, users)

    def search(self, call: Call) -> Any:
        """Find by external id, or by an address or part of a name; the newest may be missing from the index."""
        if (wanted := call.query.get("external_id")) is not None:
            found = self._account.by_external_id(wanted) if wanted else None
            return self._page(call, [found] if found else [])
        words = call.query.get("query", "").removeprefix("email:").removeprefix("type:user ").strip('" ').casefold()
        newest = self._account.now() - timedelta(seconds=self._account.user_search_lag_seconds)
        known = [user for user in self._account.users.values() if user.created_at <= newest]
        users = [user for user in known if words and _matches(user, words)]
        return self._page(call, users)

    def _page(self, call: Call, users: list[User]) -> Any:
        return paged("users", users, self._shown.user, key=lambda user: user.id, url=call.url, query=call.query)

    def show_many(self, call: Call) -> Any:
        users = [self._account.users[id_] for id_ in call.ids() if id_ in self._account.users]
        for external_id in filter(None, call.query.get("external_ids", "").split(",")):
            found = self._account.by_external_id(external_id)
            users += [found] if found else []
        shown = [self._shown.user(user) for user in users]
        return {"users": shown, "next_page": None, "previous_page": None, "count": len(shown)}

    def show(self, call: Call) -> Any:
        return {"user": self._shown.user(self._account.users[call.id()])}

    def identities(self, call: Call) -> Any:
        user = self._account.users[call.id()]
        addresses = [address for address in (user.email, *user.secondary) if address]
        shown = [
            {
                "id": user.id + 1 + index,
                "user_id": user.id,
                "type": "email",
                "value": address,
                "verified": user.verified if index == 0 else False,
                "primary": index == 0,
            }
            for index, address in enumerate(addresses)
        ]
        return {"identities": shown, "next_page": None, "previous_page": None, "count": len(shown)}

    def requested(self, call: Call) -> Any:
        user = self._account.users[call.id()]
        newest = self._account.now() - timedelta(seconds=self._account.requested_lag_seconds)
        tickets = [
            each for each in self._account.present() if each.requester_id == user.id and each.created_at <= newest
        ]
        return paged("tickets", tickets, self._shown.ticket, key=lambda each: each.id, url=call.url, query=call.query)

    # Writing --------------------------------------------------------------------------------------------------

    def create(self, call: Call) -> Any:
        given = self._given(call, "create")
        return self._made(call, given)

    def create_or_update(self, call: Call) -> Any:
        """Find by external id and by e-mail address; write what is given over whoever is found."""
        call.headers |= self._limits.user_update(call.caller.id)
        given = self._given(call, "create_or_update")
        by_id = self._account.by_external_id(given["external_id"]) if given.get("external_id") else None
        by_email = self._account.by_email(given["email"]) if given.get("email") else None
        if by_id and by_email and by_id is not by_email:
            raise _email_taken(given["email"])
        found = by_id or by_email
        if found is None:
            return self._made(call, given)
        self._change(found, given)
        return Answer({"user": self._shown.user(found)}, 200, {"location": self._location(found)})

    def update(self, call: Call) -> Any:
        user = self._account.users[call.id()]
        call.headers |= self._limits.user_update(call.caller.id)
        given = self._given(call, "update")
        email, external_id = given.get("email"), given.get("external_id")
        if email and (self._account.by_email(email) or user) is not user:
            raise _email_taken(email)
        if external_id and (self._account.by_external_id(external_id) or user) is not user:
            raise _external_id_taken()
        self._change(user, given)
        return {"user": self._shown.user(user)}

    def delete(self, call: Call) -> Any:
        user = self._account.users[call.id()]
        shown = self._shown.user(user) | {"active": False}
        self._account.remove_user(user)
        return {"user": shown}

    def _given(self, call: Call, action: str) -> dict[str, Any]:
        given = call.given("user")
        call.warn_of("user", action, given, _KNOWN)
        return fitted(given, _KNOWN)

    def _made(self, call: Call, given: Mapping[str, Any]) -> Answer:
        if given.get("email") and self._account.by_email(given["email"]):
            raise _email_taken(given["email"])
        if given.get("external_id") and self._account.by_external_id(given["external_id"]):
            raise _external_id_taken()
        _check(given)
        if not str(given.get("name") or "").strip():
            raise invalid("name", "Name:  is too short (minimum is 1 character)", "ValueTooShort")
        user = self._account.add_user(given["name"], email=given.get("email"))
        self._change(user, given)
        return Answer({"user": self._shown.user(user)}, 201, {"location": self._location(user)})

    def _change(self, user: User, given: Mapping[str, Any]) -> None:
        _check(given)
        if given.get("name"):
            user.name = str(given["name"])
        user.role = given.get("role") or user.role
        if given.get("external_id") is not None:
            user.external_id = str(given["external_id"])
        self._take_email(user, given)
        user.suspended = bool(given.get("suspended", user.suspended))
        user.phone = given.get("phone", user.phone)
        user.facts |= {name: given[name] for name in _FACTS if name in given}
        user.updated_at = self._account.now()
        self._account.index(user)

    def _take_email(self, user: User, given: Mapping[str, Any]) -> None:
        """Set the first address; a later one becomes a second, and is not verified by itself."""
        email = given.get("email")
        if email and user.email is None:
            user.email = str(email)
        elif email and not user.has_email(email):
            user.secondary.append(str(email))
            return
        user.verified = bool(given.get("verified", user.verified))

    def _location(self, user: User) -> str:
        return self._account.link(f"api/v2/users/{user.id}.json")


def _matches(user: User, words: str) -> bool:
    return user.has_email(words) or words in user.name.casefold() or words == (user.external_id or "").casefold()


def _check(given: Mapping[str, Any]) -> None:
    """Check what would make any user invalid."""
    if given.get("role") is not None and given["role"] not in _ROLES:
        raise invalid("role", f"Role: {given['role']} is not valid", "InvalidValue")
    if len(str(given.get("remote_photo_url") or "")) > _LONGEST_PHOTO_URL:
        raise invalid("remote_photo_url", "Remote photo url: is too long (maximum is 255 characters)", "ValueTooLong")
    email = given.get("email")
    if email is not None and ("@" not in str(email) or " " in str(email)):
        raise invalid("email", f"Email: {email} is not properly formatted", "InvalidFormat")


def _email_taken(email: str) -> Exception:
    return invalid("email", f"Email: {email} is already being used by another user", "DuplicateValue")


def _external_id_taken() -> Exception:
    return invalid("external_id", "External has already been taken", "DuplicateValue")
