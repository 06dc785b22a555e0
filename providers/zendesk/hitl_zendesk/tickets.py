"""Tickets: opened with all they need in one request, ended, and handed on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import hitl_core as hitl
from hitl_core.http import segment
from hitl_zendesk.api import Api
from hitl_zendesk.facts import ENDED, agent_of, moment, number
from hitl_zendesk.refusals import classify, fields_in, refused_by, update_scopes
from hitl_zendesk.settings import ZendeskOptions
from hitl_zendesk.texts import as_html, opening_html
from hitl_zendesk.users import Customers

__all__ = ["LAG", "Tickets", "absent", "comment_ids", "state_of"]

_PRIORITIES: Final = {"medium": "normal"}
_SKEW: Final = timedelta(seconds=2)
LAG: Final = timedelta(seconds=90)
"""How long a list of tickets may miss one; documented for lists by requester."""
_EMPTY: Final = "<p>&nbsp;</p>"


class Tickets:
    """The account's tickets."""

    def __init__(self, api: Api, customers: Customers) -> None:
        self._api = api
        self._customers = customers

    # Opening --------------------------------------------------------------------------------------------------

    async def open(self, request: hitl.StartHitl) -> hitl.StartedSession:
        """Open a ticket in one request, so that no trigger sees it without its tags and our id."""
        options = ZendeskOptions.model_validate(request.options)
        me = await self._api.my_id()
        bot = None
        if options.bot_name:
            bot = await self._customers.put_bot(options.bot_name, options.bot_photo_url)
        html, relayed = opening_html(request.description, request.relay)
        body = self._fields(options) | {
            "subject": request.title,
            "comment": {"html_body": html or _EMPTY, "public": True},
            "submitter_id": int(bot or me),  # the author of the first comment, which is not the customer's
            "external_id": request.external_id,
            "tags": list(dict.fromkeys((self._api.settings.tag, *options.tags))),
            "metadata": {"hitl": request.key},
            "via_followup_source_id": await self._closed(request.previous),
        }
        if options.requester_name:
            body["requester"] = _present(name=options.requester_name, email=options.requester_email)
        else:
            body["requester_id"] = _requester(request.user)
        answer = await self._api.call(
            "start_hitl", "POST", "tickets", json={"ticket": _present(**body)}, key=request.key
        )
        session = self.session(answer["ticket"], bot=bot)
        return hitl.StartedSession(session=session, relayed=relayed, ids=comment_ids(answer))

    def _fields(self, options: ZendeskOptions) -> dict[str, Any]:
        priority = options.priority
        return {
            "priority": _PRIORITIES.get(priority, priority) if priority else None,
            "type": options.type,
            "status": options.status,
            "group_id": options.group_id,
            "assignee_id": options.assignee_id,
            "ticket_form_id": options.ticket_form_id,
            "brand_id": options.brand_id,
            "organization_id": options.organization_id,
            "custom_fields": [field.model_dump(mode="json") for field in options.custom_fields] or None,
        }

    async def _closed(self, previous: hitl.SessionRef | None) -> int | None:
        """Return the previous ticket where a new one is to be its follow-up: Zendesk takes closed ones alone."""
        if previous is None or previous.connection != self._api.ctx.key:
            return None
        try:
            ticket = await self._api.ticket("start_hitl", previous.id)
        except hitl.NotFoundError:
            return None
        return int(previous.id) if ticket.get("status") == "closed" else None

    def session(self, ticket: Mapping[str, Any], *, bot: str | None = None) -> hitl.HitlSession:
        """Return a ticket as a session."""
        id_ = str(ticket["id"])
        return hitl.HitlSession(
            ref=hitl.SessionRef(connection=self._api.ctx.key, id=id_),
            provider=self._api.ctx.provider,
            url=self._api.page_of("tickets", id_),
            user_id=number(ticket.get("requester_id")),
            external_id=ticket.get("external_id"),
            data={"bot": bot} if bot else {},
        )

    async def find(self, request: hitl.FindSession) -> hitl.Finding:
        """Look for the ticket a start has opened.

        Within the life of its key a repeat finds it exactly, so this is for later. Our id need not be unique: several
        candidates are not told apart.
        """
        start = request.request
        if start.external_id is None:
            return hitl.Inconclusive()
        params = {"external_id": start.external_id}
        found = (await self._api.call("find_session", "GET", "tickets", params=params))["tickets"]
        fresh = [
            ticket
            for ticket in found
            if ticket.get("external_id") == start.external_id
            and str(ticket["id"]) not in request.known_ids
            and (at := moment(ticket.get("created_at"))) is not None
            and at >= request.sent_after - _SKEW
        ]
        if not fresh:
            return absent(request, self._api, LAG)
        if len(fresh) > 1:
            return hitl.Inconclusive()
        relayed = opening_html(start.description, start.relay)[1]
        bot = await self._api.ctx.state.get("bot") if start.options.get("bot_name") else None
        value = bot.value if bot is not None and isinstance(bot.value, dict) else {}
        session = self.session(fresh[0], bot=number(value.get("id")))
        return hitl.Found(started=hitl.StartedSession(session=session, relayed=relayed))

    # Ending ---------------------------------------------------------------------------------------------------

    async def end(self, request: hitl.StopHitl) -> None:
        """Solve or close a ticket, with a last note for agents (behaviours S234, F36).

        :raises InvalidRequestError: the account asks for fields before a ticket is solved; names them.
        """
        ticket = await self._api.ticket("stop_hitl", request.session.id)
        if ticket.get("status") in ENDED:
            return
        body: dict[str, Any] = {"status": self._api.settings.stop_status}
        if request.message:
            body["comment"] = {"html_body": as_html(request.message), "public": False}
            body["metadata"] = {"hitl": request.key}
        answer = await self._put(request, body)
        if answer.status == 422 and ticket.get("assignee_id") is None and "assignee" in _about(answer):
            # Where solving does not assign the ticket to whoever solves it, it has to be somebody's.
            answer = await self._put(request, {**body, "assignee_id": int(await self._api.my_id())})
        if answer.status == 422:
            self._refuse(answer)

    async def _put(self, request: hitl.StopHitl, body: Mapping[str, Any]) -> Any:
        id_ = request.session.id
        return await self._api.http.put(
            f"tickets/{segment(id_)}",
            operation="stop_hitl",
            json={"ticket": body},
            accept={422},
            repeatable=True if "comment" not in body else None,
            scopes=update_scopes(id_),
        )

    def _refuse(self, answer: Any) -> None:
        found = classify(answer)
        if found is not None and found.error is hitl.SessionClosedError:
            return  # an agent was faster
        fields = fields_in(answer)
        named = f": {', '.join(fields)}" if fields else ""
        msg = f"Zendesk does not end the ticket before its required fields are filled in{named}"
        raise hitl.InvalidRequestError(msg, operation="stop_hitl", status=422, code="RecordInvalid", fields=fields)

    # Handing on -----------------------------------------------------------------------------------------------

    async def transfer(self, request: hitl.Transfer) -> None:
        """Give a ticket to a group, an agent, or nobody."""
        body: dict[str, Any] = {}
        if request.team is not None:
            body["group_id"] = _number(request.team, "team")
        body["assignee_id"] = _number(request.agent, "agent") if request.agent is not None else None
        id_ = request.session.id
        await self._api.call(
            "transfer",
            "PUT",
            f"tickets/{segment(id_)}",
            json={"ticket": body},
            repeatable=True,
            scopes=update_scopes(id_),
        )


def absent(request: hitl.FindSession | hitl.FindMessage, api: Api, lag: timedelta) -> hitl.Finding:
    """Return that nothing was found, once enough time has passed for that to mean something."""
    left = (request.sent_after + lag - api.ctx.clock.now()).total_seconds()
    return hitl.Inconclusive(retry_after=left) if left > 0 else hitl.Absent()


def _number(id_: str, what: str) -> int:
    if (found := number(id_)) is None or found.startswith("-"):
        msg = f"{what} is not the number of one in Zendesk; the address of its page ends with it"
        raise hitl.InvalidRequestError(msg, operation="transfer")
    return int(found)


def _requester(user: hitl.ExternalUser) -> int:
    """Return the number of the customer's user; without one a ticket would be our own (behaviour S230)."""
    if (id_ := number(user.id)) is None or id_.startswith("-"):
        msg = "the customer is not a user of this account; pass what create_user of this connection gave"
        raise hitl.InvalidRequestError(msg, operation="start_hitl", subject="user")
    return int(id_)


def state_of(ticket: Mapping[str, Any], *, me: str, people: Mapping[str, Mapping[str, Any]] | None = None) -> Any:
    """Return how a ticket stands."""
    status = str(ticket.get("status"))
    assignee = number(ticket.get("assignee_id"))
    agent = None
    if assignee is not None and assignee != me:
        agent = agent_of((people or {}).get(assignee, {"id": assignee}))
    return hitl.SessionState(
        open=status not in ENDED,
        final=status in ENDED and status != "solved",
        agent=agent,
        status=status,
        updated_at=moment(ticket.get("updated_at")),
    )


def comment_ids(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ids of the comments a write has made, from its audit."""
    audit = answer.get("audit") or {}
    events = audit.get("events") or []
    return tuple(str(event["id"]) for event in events if event.get("type") == "Comment")


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _about(answer: Any) -> str:
    """Return what a refusal names, in lower case, to look for a word in; not for anybody to read."""
    return str(dict(refused_by(answer))).lower()
