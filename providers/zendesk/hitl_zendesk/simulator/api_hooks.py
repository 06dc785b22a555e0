"""``webhooks``: set up, read the secret, test, look at what was sent."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from hitl_core.testing.simulator import SimWebhook
from hitl_zendesk.simulator.account import Account
from hitl_zendesk.simulator.answering import Answer, Call, Row
from hitl_zendesk.simulator.dispatch import HookDispatcher, delivery_headers
from hitl_zendesk.simulator.ids import ulid_of
from hitl_zendesk.simulator.kinds import Fit, fitted, parts, text, texts, words
from hitl_zendesk.simulator.limits import Limits
from hitl_zendesk.simulator.paging import paged
from hitl_zendesk.simulator.records import Hook, stamp
from hitl_zendesk.simulator.refusals import RefusedError, hook_refused
from hitl_zendesk.simulator.shown import Shown
from hitl_zendesk.simulator.telling import CONDITIONAL

__all__ = ["credentials_of", "hook_rows"]

_REQUIRED: Final = ("name", "endpoint", "http_method", "request_format", "status")
_KNOWN: Final[dict[str, Fit]] = {
    **dict.fromkeys((*_REQUIRED, "description"), text),
    "subscriptions": words,
    "authentication": parts({"type": text, "data": texts, "add_position": text}),
    "custom_headers": texts,
}
_CHOICES: Final = {
    "http_method": {"GET", "POST", "PUT", "PATCH", "DELETE"},
    "request_format": {"json", "xml", "form_encoded"},
    "status": {"active", "inactive"},
}
_DEFAULTS: Final = {"subscriptions": (), "description": None, "authentication": None, "custom_headers": None}
_REQUEST: Final[dict[str, Fit]] = {**_KNOWN, "payload": text}
_MOST_ON_TRIAL: Final = 10
_TEST_SECRET: Final = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="  # noqa: S105  documented, for unsaved webhooks


def hook_rows(account: Account, shown: Shown, dispatcher: HookDispatcher, limits: Limits) -> list[Row]:
    """Return what is answered here."""
    api = _Hooks(account, shown, dispatcher, limits)
    return [
        ("GET", "webhooks", api.every),
        ("POST", "webhooks", api.create),
        ("POST", "webhooks/test", api.test),
        ("GET", "webhooks/{id}", api.show),
        ("PUT", "webhooks/{id}", api.replace),
        ("PATCH", "webhooks/{id}", api.change),
        ("DELETE", "webhooks/{id}", api.delete),
        ("GET", "webhooks/{id}/signing_secret", api.secret),
        ("POST", "webhooks/{id}/signing_secret", api.reset_secret),
        ("GET", "webhooks/{id}/invocations", api.invocations),
        ("GET", "webhooks/{id}/invocations/{invocation_id}/attempts", api.attempts),
    ]


class _Hooks:
    def __init__(self, account: Account, shown: Shown, dispatcher: HookDispatcher, limits: Limits) -> None:
        self._account, self._shown, self._dispatcher, self._limits = account, shown, dispatcher, limits

    def _hook(self, call: Call) -> Hook:
        call.check_admin()
        return self._account.hooks[call.request.path_params["id"]]

    # Reading --------------------------------------------------------------------------------------------------

    def every(self, call: Call) -> Any:
        call.check_admin()
        hooks = list(self._account.hooks.values())
        if wanted := call.query.get("filter[name_contains]"):
            hooks = [hook for hook in hooks if wanted.casefold() in hook.given["name"].casefold()]
        if status := call.query.get("filter[status]"):
            hooks = [hook for hook in hooks if hook.given["status"] == status]
        page = paged(
            "webhooks",
            list(enumerate(hooks, 1)),
            lambda entry: self._shown.hook(entry[1]),
            key=lambda entry: entry[0],
            url=call.url,
            query=call.query,
            always_by_cursor=True,
        )
        if page["meta"]["has_more"]:
            return page
        return {"webhooks": page["webhooks"], "meta": {"has_more": False}}

    def show(self, call: Call) -> Any:
        return {"webhook": self._shown.hook(self._hook(call))}

    def secret(self, call: Call) -> Any:
        return {"signing_secret": {"secret": self._hook(call).secret, "algorithm": "SHA256"}}

    # Writing --------------------------------------------------------------------------------------------------

    def create(self, call: Call) -> Any:
        call.check_admin()
        account = self._account
        if self._limits.plan == "trial" and len(account.hooks) >= _MOST_ON_TRIAL:
            raise hook_refused(403, "TooManyWebhooks", "A trial account cannot have more than 10 webhooks")
        source = call.query.get("clone_webhook_id")
        given = account.hooks[source].given if source else call.given("webhook")
        hook = Hook(
            account.ids.ulid("webhook"), account.ids.secret(), _checked(given), account.now(), str(call.caller.id)
        )
        account.hooks[hook.id] = hook
        self._connect(hook)
        return Answer({"webhook": self._shown.hook(hook, new=True)}, 201)

    def replace(self, call: Call) -> Any:
        """Write what is given, and clear what is left out."""
        hook = self._hook(call)
        given = call.given("webhook")
        return self._written(call, hook, _DEFAULTS | {"subscriptions": hook.given["subscriptions"]} | given)

    def change(self, call: Call) -> Any:
        hook = self._hook(call)
        return self._written(call, hook, {**hook.given, **call.given("webhook")})

    def _written(self, call: Call, hook: Hook, given: Mapping[str, Any]) -> Answer:
        checked = _checked(given)
        if set(checked["subscriptions"]) != hook.subscriptions:
            raise hook_refused(400, "InvalidSubscriptions", "The subscriptions of a webhook cannot be changed")
        hook.given = checked
        hook.updated_at, hook.updated_by = self._account.now(), str(call.caller.id)
        self._connect(hook)
        return Answer(status=204)

    def _connect(self, hook: Hook) -> None:
        endpoint = self._dispatcher.endpoints.get(hook.id)
        if endpoint is None:
            endpoint = self._dispatcher.subscribe(hook.id, hook.given["endpoint"], hook.secret)
        endpoint.url, endpoint.secret = hook.given["endpoint"], hook.secret
        endpoint.enabled = hook.given["status"] == "active"

    def reset_secret(self, call: Call) -> Any:
        hook = self._hook(call)
        hook.secret = self._account.ids.secret()
        self._connect(hook)
        return Answer({"signing_secret": {"secret": hook.secret, "algorithm": "SHA256"}}, 201)

    def delete(self, call: Call) -> Any:
        hook = self._hook(call)
        del self._account.hooks[hook.id]
        self._dispatcher.unsubscribe(hook.id)
        return Answer(status=204)

    # What was sent --------------------------------------------------------------------------------------------

    async def test(self, call: Call) -> Any:
        """Send a test at once; its answer is the receiver's."""
        call.check_admin()
        hook_id = call.query.get("webhook_id")
        hook = self._account.hooks[hook_id] if hook_id else None
        request = fitted(call.given(), {"request": parts(_REQUEST)}).get("request") or {}
        given = {**(hook.given if hook else {}), **request}
        if not given.get("endpoint"):
            raise hook_refused(400, "InvalidRequest", "endpoint is required")
        body = (request.get("payload") or "{}").encode()
        headers = delivery_headers(
            hook.secret if hook else _TEST_SECRET,
            body,
            hook_id=hook.id if hook else ulid_of("unsaved webhook"),
            invocation_id=self._account.ids.ulid("invocation"),
            at=self._account.clock.now(),
            extra=credentials_of(given),
        )
        status = await self._dispatcher.post(given["endpoint"], headers, body, 12)
        return {"response": {"headers": [], "status_code": status or 0, "payload": ""}}

    def invocations(self, call: Call) -> Any:
        hook = self._hook(call)
        last: dict[str, SimWebhook] = {}
        for attempt in self._sent(hook):
            last[attempt.headers["x-zendesk-webhook-invocation-id"]] = attempt
        shown = [
            {
                "id": id_,
                **({"status_code": attempt.status} if attempt.status else {}),
                "status": _status(attempt),
                "latest_completed_at": stamp(attempt.sent_at),
            }
            for id_, attempt in reversed(last.items())
        ]
        return {"meta": {"has_more": False}, "invocations": shown[:100]}

    def attempts(self, call: Call) -> Any:
        hook, wanted = self._hook(call), call.request.path_params["invocation_id"]
        sent = [each for each in self._sent(hook) if each.headers["x-zendesk-webhook-invocation-id"] == wanted]
        if not sent:
            raise KeyError(wanted)
        shown = [
            {
                "id": ulid_of(f"attempt {attempt.number}"),
                "invocation_id": wanted,
                "status_code": attempt.status,
                "status": _status(attempt),
                "request": {
                    "headers": [{"key": name.title(), "value": value} for name, value in attempt.headers.items()],
                    "payload": attempt.body.decode(),
                },
                "response": {"headers": [], "payload": ""},
                "completed_at": stamp(attempt.sent_at),
            }
            for attempt in sent
        ]
        return {"attempts": shown}

    def _sent(self, hook: Hook) -> list[SimWebhook]:
        return [each for each in self._dispatcher.sent if each.headers.get("x-zendesk-webhook-id") == hook.id]


def _status(attempt: SimWebhook) -> str:
    return "success" if attempt.status is not None and 200 <= attempt.status < 300 else "terminated"


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        given = fitted(given, _KNOWN)
    except RefusedError:
        raise hook_refused(400, "InvalidWebhook", "a field holds what it cannot") from None
    for name in _REQUIRED:
        if not given.get(name):
            raise hook_refused(400, "InvalidWebhook", f"{name} is required")
    for name, choices in _CHOICES.items():
        if given[name] not in choices:
            raise hook_refused(400, "InvalidWebhook", f"{name} is not valid")
    subscriptions = list(given.get("subscriptions") or ())
    if CONDITIONAL in subscriptions and len(subscriptions) > 1:
        raise hook_refused(400, "InvalidSubscriptions", "conditional_ticket_events goes with no other subscription")
    if any(each != CONDITIONAL and not str(each).startswith("zen:event-type:") for each in subscriptions):
        raise hook_refused(400, "InvalidSubscriptions", "subscriptions holds an event type nobody knows")
    events = [each for each in subscriptions if each != CONDITIONAL]
    if events and (given["http_method"], given["request_format"]) != ("POST", "json"):
        raise hook_refused(400, "InvalidWebhook", "event subscriptions need POST and json")
    if given.get("custom_headers") and not str(given["endpoint"]).startswith("https://"):
        raise hook_refused(400, "InvalidWebhook", "custom_headers need https")
    return {name: given.get(name) for name in _KNOWN} | {"subscriptions": subscriptions}


def credentials_of(given: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers a webhook was set up to be sent with."""
    headers = dict(given.get("custom_headers") or {})
    authentication = given.get("authentication") or {}
    data = authentication.get("data") or {}
    match authentication.get("type"):
        case "basic_auth":
            pair = f"{data.get('username', '')}:{data.get('password', '')}"
            headers["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        case "bearer_token":
            headers["authorization"] = f"Bearer {data.get('token', '')}"
        case "api_key":
            headers[str(data.get("name", "x-api-key"))] = str(data.get("value", ""))
    return headers
