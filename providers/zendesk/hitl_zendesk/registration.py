"""Webhooks set up, mended and removed by API: a webhook with Zendesk's own events, or one with triggers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Any, Final

import hitl_core as hitl
from hitl_core.http import segment
from hitl_zendesk.api import Api
from hitl_zendesk.deliveries import SUBSCRIPTIONS, TRIGGER_KINDS

__all__ = ["Registration"]

_BY_TRIGGERS: Final = ("conditional_ticket_events",)
_PAGE: Final = 100
_MOST_PAGES: Final = 20
_TEMPLATE: Final = '{{"hitl": "{kind}", "ticket_id": "{{{{ticket.id}}}}"}}'
_API_CHANNEL: Final = "5"


class Registration:
    """The account's webhook and triggers of ours."""

    def __init__(self, api: Api) -> None:
        self._api = api

    # Setting up -----------------------------------------------------------------------------------------------

    async def make(self, request: hitl.RegisterWebhook) -> hitl.WebhookRegistration:
        """Make the webhook, or mend it; a create that was never answered is found by its name and address.

        What a failed call has made is removed again: nobody would know of it, and Zendesk would call for ever.
        """
        operation = "register_webhook"
        previous = dict(request.previous.ids) if request.previous else {}
        made: dict[str, str] = {}
        try:
            ids = {"webhook": await self._make_webhook(operation, request.url, previous, made)}
            if self._api.settings.webhook_mode == "triggers":
                ids |= await self._triggers(operation, ids["webhook"], previous, made)
            for role, id_ in previous.items():
                if role.startswith("trigger.") and role not in ids:  # of the other mode, and its webhook is gone
                    await self._delete(operation, f"triggers/{segment(id_)}")
            path = f"webhooks/{segment(ids['webhook'])}/signing_secret"
            secret = (await self._api.call(operation, "GET", path))["signing_secret"]["secret"]
        except hitl.HitlError:
            with suppress(hitl.HitlError):
                await self._remove(operation, made.get("webhook"), made)
            raise
        return hitl.WebhookRegistration.model_validate({"url": request.url, "ids": ids, "secrets": [secret]})

    async def _make_webhook(self, operation: str, url: str, previous: dict[str, str], made: dict[str, str]) -> str:
        """Return the id of the webhook as it should be.

        :param previous: emptied when what was there had to be made anew.
        :param made: is told what is new.
        """
        wanted = self._webhook(url)
        found = await self._find(operation, previous.get("webhook"), url)
        if found is not None and sorted(found.get("subscriptions") or ()) != sorted(wanted["subscriptions"]):
            # What a webhook subscribes to cannot be changed.
            await self._remove(operation, found["id"], previous)
            found = None
            previous.clear()
        if found is None:
            answer = await self._api.call(operation, "POST", "webhooks", json={"webhook": wanted})
            found = answer["webhook"]
            made["webhook"] = str(found["id"])
        elif any(found.get(name) != wanted[name] for name in ("endpoint", "status", "http_method", "request_format")):
            path = f"webhooks/{segment(found['id'])}"
            body = {name: value for name, value in wanted.items() if name != "subscriptions"}
            await self._api.call(operation, "PATCH", path, json={"webhook": body}, repeatable=True)
        return str(found["id"])

    @property
    def name(self) -> str:
        """Name of the webhook, by which it is found again: the connection's, and which one of that name."""
        key = self._api.ctx.key
        return f"HITL {key} {sha256(f'{self._api.settings.subdomain} {key}'.encode()).hexdigest()[:8]}"

    def _webhook(self, url: str) -> dict[str, Any]:
        by_triggers = self._api.settings.webhook_mode == "triggers"
        return {
            "name": self.name,
            "status": "active",
            "endpoint": url,
            "http_method": "POST",
            "request_format": "json",
            "subscriptions": list(_BY_TRIGGERS if by_triggers else SUBSCRIPTIONS),
        }

    async def _find(self, operation: str, id_: str | None, url: str) -> Mapping[str, Any] | None:
        """Return our webhook: by the id we know, or by name and address, so that nobody else's is taken for it."""
        if id_ is not None:
            try:
                answer = await self._api.call(operation, "GET", f"webhooks/{segment(id_)}")
            except hitl.NotFoundError:
                pass
            else:
                webhook: Mapping[str, Any] = answer["webhook"]
                return webhook
        for webhook in await self._ours(operation):
            if webhook.get("endpoint") == url:
                return webhook
        return None

    async def look(self, operation: str, url: str | None) -> Mapping[str, Any] | None:
        """Return the webhook that has our name, and leads to that address if one is given."""
        ours = await self._ours(operation)
        if url is None:
            return next((webhook for webhook in ours if webhook.get("name") == self.name), None)
        return next((webhook for webhook in ours if webhook.get("endpoint") == url), None)

    async def amiss(self, operation: str, webhook: str) -> list[str]:
        """Return which of our triggers are missing, switched off or changed, by kind."""
        if self._api.settings.webhook_mode != "triggers":
            return []
        existing = await self._pages(operation, "triggers", "triggers", {"page[size]": _PAGE})
        kept = [trigger for trigger in existing if trigger.get("active")]
        return [
            kind
            for kind in TRIGGER_KINDS
            if not any(_is_same(trigger, self._trigger(kind, webhook)) for trigger in kept)
        ]

    async def _ours(self, operation: str) -> list[Mapping[str, Any]]:
        params: dict[str, Any] = {"filter[name_contains]": self.name, "page[size]": _PAGE}
        return await self._pages(operation, "webhooks", "webhooks", params)

    async def _pages(self, operation: str, path: str, name: str, params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        paging = dict(params)
        for _ in range(_MOST_PAGES):
            answer = await self._api.call(operation, "GET", path, params=paging)
            found += answer[name]
            meta = answer.get("meta") or {}
            if not meta.get("has_more") or not meta.get("after_cursor"):
                break
            paging["page[after]"] = meta["after_cursor"]
        return found

    async def _triggers(
        self, operation: str, webhook: str, previous: Mapping[str, str], made: dict[str, str]
    ) -> dict[str, str]:
        ids: dict[str, str] = {}
        existing = {
            str(trigger["id"]): trigger
            for trigger in await self._pages(operation, "triggers", "triggers", {"page[size]": _PAGE})
        }
        for kind in TRIGGER_KINDS:
            wanted = self._trigger(kind, webhook)
            found = existing.get(previous.get(f"trigger.{kind}", "")) or next(
                (trigger for trigger in existing.values() if trigger.get("title") == wanted["title"]), None
            )
            if found is None:
                answer = await self._api.call(operation, "POST", "triggers", json={"trigger": wanted})
                found = answer["trigger"]
                made[f"trigger.{kind}"] = str(found["id"])
            elif not _is_same(found, wanted) or not found.get("active"):
                path = f"triggers/{segment(str(found['id']))}"
                await self._api.call(operation, "PUT", path, json={"trigger": wanted}, repeatable=True)
            ids[f"trigger.{kind}"] = str(found["id"])
        return ids

    def _trigger(self, kind: str, webhook: str) -> dict[str, Any]:
        """Return a trigger for one kind of news about tickets with our tag; it sends the ticket's number alone."""
        tagged = {"field": "current_tags", "operator": "includes", "value": self._api.settings.tag}
        conditions: dict[str, list[dict[str, str]]] = {
            "comment": [
                {"field": "comment_is_public", "operator": "is", "value": "requester_can_see_comment"},
                {"field": "current_via_id", "operator": "is_not", "value": _API_CHANNEL},
            ],
            "assignee": [{"field": "assignee_id", "operator": "changed", "value": ""}],
            "status": [{"field": "status", "operator": "changed", "value": ""}],
        }
        return {
            "title": f"{self.name}: {kind}",
            "active": True,
            "all": [*conditions[kind], tagged],
            "any": [],
            "actions": [{"field": "notification_webhook", "value": [webhook, _TEMPLATE.format(kind=kind)]}],
        }

    # Removing -------------------------------------------------------------------------------------------------

    async def unmake(self, request: hitl.UnregisterWebhook) -> None:
        """Remove the triggers, then the webhook they use; what is gone already is fine (behaviour S226).

        :raises ProviderError: the first thing that could not be removed, once everything else was tried.
        """
        ids = request.previous.ids
        await self._remove("unregister_webhook", ids.get("webhook"), ids)

    async def _remove(self, operation: str, webhook: str | None, ids: Mapping[str, str]) -> None:
        paths = [f"triggers/{segment(id_)}" for role, id_ in ids.items() if role.startswith("trigger.")]
        paths += [f"webhooks/{segment(webhook)}"] if webhook else []
        failed = [error for path in paths if (error := await self._delete(operation, path)) is not None]
        if failed:
            raise failed[0]

    async def _delete(self, operation: str, path: str) -> hitl.ProviderError | None:
        try:
            await self._api.call(operation, "DELETE", path, repeatable=True)
        except hitl.NotFoundError:
            return None
        except hitl.ProviderError as error:
            self._api.ctx.log.warning("%s could not be removed (%s); remove it in Zendesk", path, type(error).__name__)
            return error
        return None


def _is_same(trigger: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a trigger does what it should, wherever its conditions stand."""
    nested = trigger.get("conditions") or {}
    return (
        trigger.get("title") == wanted["title"]
        and _conditions(trigger.get("all") or nested.get("all") or ()) == _conditions(wanted["all"])
        and not (trigger.get("any") or nested.get("any"))
        and trigger.get("actions") == wanted["actions"]
    )


def _conditions(items: Iterable[Mapping[str, Any]]) -> set[tuple[str, str, str]]:
    return {(str(i.get("field")), str(i.get("operator")), str(i.get("value") or "")) for i in items}
