"""Our webhook: one for each account, changed rather than added to (behaviour S264), and mended where it drifted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import hitl_core as hitl
from hitl_core.http import segment
from hitl_zendesk.messaging.api import SunshineApi
from hitl_zendesk.messaging.events import TRIGGERS
from hitl_zendesk.messaging.settings import ZendeskMessagingSettings

__all__ = ["Registrar", "find_integration"]

_ME: Final = "me"
_SECRETS: Final = 2
"""How many secrets are kept: the one in use, and the one before it for deliveries under way."""


async def find_integration(api: SunshineApi, operation: str, wanted: str) -> Mapping[str, Any] | None:
    """Return a switchboard integration by name or id; ``None`` when no switchboard of the app has it.

    :raises PermissionDeniedError: the key is an integration's, which may not see switchboards.
    """
    for switchboard in (await api.get(operation, "switchboards"))["switchboards"]:
        listed = await api.get(operation, "switchboards", str(switchboard["id"]), "switchboardIntegrations")
        for found in listed["switchboardIntegrations"]:
            if wanted in {found.get("name"), found.get("id")}:
                return {**found, "enabled": switchboard.get("enabled")}
    return None


class Registrar:
    """Sets the webhook up and removes it."""

    def __init__(self, api: SunshineApi, settings: ZendeskMessagingSettings) -> None:
        self._api = api
        self._integration = settings.integration

    async def home(self, operation: str) -> str:
        """Return whose webhooks ours is one of: our integration's, or ``me`` where the key is the integration's own."""
        try:
            found = await find_integration(self._api, operation, self._integration)
        except hitl.PermissionDeniedError:
            return _ME
        if found is None:
            msg = (
                f"no switchboard of the app has an integration {self._integration!r}; create it by the switchboard "
                "API, or set `integration` to its name or id"
            )
            raise hitl.NotFoundError(msg, operation=operation)
        return str(found["integrationId"])

    async def listed(self, operation: str, home: str) -> list[Mapping[str, Any]]:
        """Return the webhooks of an integration."""
        answer = await self._api.get(operation, "integrations", home, "webhooks")
        return list(answer["webhooks"])

    async def register(self, request: hitl.RegisterWebhook) -> hitl.WebhookRegistration:
        """Write our webhook: the one made before, by its id or its target, or a new one."""
        operation, previous = "register_webhook", request.previous
        home = await self.home(operation)
        known = previous.ids.get("webhook") if previous else None
        every = await self.listed(operation, home)
        ours = [found for found in every if found["id"] == known]
        ours += [found for found in every if found["id"] != known and found.get("target") == request.url]
        made = await self._settled(operation, home, ours[0] if ours else None, request.url)
        for double in ours[1:]:
            await self._remove(operation, home, str(double["id"]))  # every fact would be delivered twice
        before = [secret.get_secret_value() for secret in previous.secrets] if previous else []
        is_known = bool(before) and made["id"] == known
        shown = await self._secret(operation, home, made, is_known=is_known)
        if not shown and not is_known:  # nobody can tell it any more: only a new webhook has one that is shown
            await self._remove(operation, home, str(made["id"]))
            made = await self._create(operation, home, request.url)
            shown = [str(made["secret"])]
        secrets = [*shown, *(old for old in before if old not in shown)][:_SECRETS]
        return hitl.WebhookRegistration.model_validate(
            {"url": request.url, "ids": {"webhook": str(made["id"]), "integration": home}, "secrets": secrets}
        )

    async def unregister(self, request: hitl.UnregisterWebhook) -> None:
        """Remove it; what is gone already is fine."""
        ids = request.previous.ids
        if "webhook" in ids:
            await self._remove("unregister_webhook", ids.get("integration", _ME), ids["webhook"])

    async def _settled(self, operation: str, home: str, found: Mapping[str, Any] | None, url: str) -> Mapping[str, Any]:
        if found is None:
            return await self._create(operation, home, url)
        wanted = _definition(url)
        if _same(found, wanted):
            return found
        path = self._path(home, str(found["id"]))
        answer = await self._api.http.patch(path, operation=operation, json=wanted, repeatable=True)
        return {**found, **_webhook(answer.json())}

    async def _create(self, operation: str, home: str, url: str) -> Mapping[str, Any]:
        answer = await self._api.http.post(self._path(home), operation=operation, json=_definition(url))
        return _webhook(answer.json())

    async def _remove(self, operation: str, home: str, id: str) -> None:
        try:
            await self._api.http.delete(self._path(home, id), operation=operation, repeatable=True)
        except hitl.NotFoundError:
            return  # gone already

    async def _secret(self, operation: str, home: str, made: Mapping[str, Any], *, is_known: bool) -> list[str]:
        """Return what the webhook's deliveries are proven by; a list may hide it, the webhook itself does not.

        :param is_known: it is the webhook registered before, whose secret we have.
        """
        secret = made.get("secret")
        if not secret and not is_known:
            answer = await self._api.get(operation, "integrations", home, "webhooks", str(made["id"]))
            secret = _webhook(answer).get("secret")
        return [str(secret)] if secret else []

    def _path(self, home: str, *id: str) -> str:
        return "/".join((self._api.path("integrations", home, "webhooks"), *(segment(part) for part in id)))


def _definition(url: str) -> dict[str, Any]:
    return {"target": url, "triggers": list(TRIGGERS), "includeFullUser": False, "includeFullSource": False}


def _same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return (
        found.get("target") == wanted["target"]
        and set(found.get("triggers") or ()) == set(wanted["triggers"])
        and not found.get("includeFullUser")
        and not found.get("includeFullSource")
    )


def _webhook(answer: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = answer["webhook"]
    return found
