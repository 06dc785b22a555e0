"""Finding out whether an account is ready (behaviour F42, S265): what can be told, and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import hitl_core as hitl
from hitl_zendesk.messaging.api import SunshineApi
from hitl_zendesk.messaging.events import TRIGGERS
from hitl_zendesk.messaging.registration import Registrar, find_integration
from hitl_zendesk.messaging.settings import ZendeskMessagingSettings

__all__ = ["Checker"]

_OPERATION: Final = "check"
_SETTINGS: Final = "in Admin Center under Channels, Messaging and social, Messaging, Manage settings"
_KEY: Final = (
    "make a key in Admin Center under Apps and integrations, Conversations API, and set key_id and key_secret; "
    "app_id is shown beside it"
)
_SWITCHBOARD: Final = "create it by the switchboard API, or set `{setting}` to the name or id it has there"


class Checker:
    """Looks at an account.

    :param secrets: whether a secret is known that deliveries can be proven by.
    """

    def __init__(
        self, api: SunshineApi, registrar: Registrar, settings: ZendeskMessagingSettings, *, secrets: bool
    ) -> None:
        self._api = api
        self._registrar = registrar
        self._settings = settings
        self._secrets = secrets

    async def check(self, webhook_url: str | None) -> list[hitl.CheckResult]:
        """Return what was found; without a key that opens the app there is nothing else to look at."""
        try:
            app = await self._app()
        except (hitl.AuthenticationError, hitl.PermissionDeniedError) as error:
            return [hitl.CheckResult(name="key", ok=False, detail=error.message, mend=_KEY)]
        except hitl.NotFoundError as error:
            mend = f"check app_id, and that {self._settings.root} is the address of the API, up to /v2"
            return [hitl.CheckResult(name="app", ok=False, detail=error.message, mend=mend)]
        except hitl.ProviderError as error:
            mend = f"is {self._settings.root} to be reached from here?"
            return [hitl.CheckResult(name="reachable", ok=False, detail=error.message, mend=mend)]
        results = [_ok("key", "opens the app" if app is not None else "is an integration's: it does not show the app")]
        if app is not None:
            results += [_conversations(app), *await self._switchboard()]
        results.append(await self._webhook(webhook_url))
        hint = f"cannot be read by API: let agents end messaging sessions {_SETTINGS}, or only customers can"
        return [*results, _ok("ending sessions", hint)]

    async def _app(self) -> Mapping[str, Any] | None:
        """Return the app; ``None`` where the key works, and is an integration's."""
        try:
            return await self._api.app(_OPERATION)
        except hitl.PermissionDeniedError:
            await self._registrar.listed(_OPERATION, "me")
            return None

    async def _switchboard(self) -> list[hitl.CheckResult]:
        results: list[hitl.CheckResult] = []
        wanted = {"integration": self._settings.integration, "agent_workspace": self._settings.agent_workspace}
        for setting, name in wanted.items():
            title = "our integration" if setting == "integration" else "agent workspace"
            try:
                found = await find_integration(self._api, _OPERATION, name)
            except hitl.ProviderError as error:
                mend = "look at the switchboard in Admin Center, then check again"
                return [*results, hitl.CheckResult(name="switchboard", ok=False, detail=error.message, mend=mend)]
            if found is None:
                detail = f"no switchboard of the app has an integration {name!r}"
                mend = _SWITCHBOARD.format(setting=setting)
                results.append(hitl.CheckResult(name=title, ok=False, detail=detail, mend=mend))
            elif found["enabled"] is False:
                mend = "enable the switchboard by its API: until then nobody has control of a conversation"
                results.append(hitl.CheckResult(name=title, ok=False, detail="its switchboard is off", mend=mend))
            else:
                results.append(_ok(title, f"{name} is in the switchboard"))
        return results

    async def _webhook(self, url: str | None) -> hitl.CheckResult:
        name = "webhook"
        try:
            every = await self._registrar.listed(_OPERATION, await self._registrar.home(_OPERATION))
        except hitl.ProviderError as error:
            mend = "use a key that may see the integration's webhooks, or register by hand in Admin Center"
            return hitl.CheckResult(name=name, ok=False, detail=error.message, mend=mend)
        if url is None:
            proven = "can be proven" if self._secrets else "none registered yet; events can be read by pull"
            return _ok(name, proven)
        register = f"register the webhook again: connection.register_webhook({url!r})"
        found = next((webhook for webhook in every if webhook.get("target") == url), None)
        if found is None:
            return hitl.CheckResult(name=name, ok=False, detail="no webhook leads to us", mend=register)
        missing = [trigger for trigger in TRIGGERS if trigger not in (found.get("triggers") or ())]
        if missing:
            detail = f"the webhook does not tell of {', '.join(missing)}"
            return hitl.CheckResult(name=name, ok=False, detail=detail, mend=register)
        if not self._secrets:
            return hitl.CheckResult(name=name, ok=False, detail="its secret is not known here", mend=register)
        return _ok(name, "leads to us, and can be proven")


def _ok(name: str, detail: str) -> hitl.CheckResult:
    return hitl.CheckResult(name=name, ok=True, detail=detail)


def _conversations(app: Mapping[str, Any]) -> hitl.CheckResult:
    """Say whether a customer can have several conversations: each hand-off is one of its own (behaviour S265)."""
    name = "multi-conversations"
    settings = app.get("settings")
    enabled = settings.get("multiConvoEnabled") if isinstance(settings, dict) else None
    if enabled is False:
        detail = "a customer can have one conversation only, so that a second hand-off has nowhere to go"
        return hitl.CheckResult(name=name, ok=False, detail=detail, mend=f"switch on multi-conversations {_SETTINGS}")
    return _ok(name, "on" if enabled else f"cannot be read here: they must be on, {_SETTINGS}")
