"""The simulator: the account behind its API, agents who act in it, and who is told of what they do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, MutableMapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Mount

from hitl_core.people import Agent
from hitl_core.testing.simulator import SimEndpoint, SimFile, SimSession, Simulator, SimUser
from hitl_core.testing.simulator.base import ELSEWHERE
from hitl_zendesk.simulator.account import ACCOUNT_ID, BOT_NAME, GROUPS, Account
from hitl_zendesk.simulator.answering import Api
from hitl_zendesk.simulator.api_account import account_rows
from hitl_zendesk.simulator.api_comments import comment_rows
from hitl_zendesk.simulator.api_endings import ending_rows
from hitl_zendesk.simulator.api_hooks import credentials_of, hook_rows
from hitl_zendesk.simulator.api_tickets import ticket_rows
from hitl_zendesk.simulator.api_triggers import trigger_rows
from hitl_zendesk.simulator.api_uploads import upload_rows
from hitl_zendesk.simulator.api_users import user_rows
from hitl_zendesk.simulator.commenting import Draft
from hitl_zendesk.simulator.dispatch import DEFAULT_ENDPOINT, HookDispatcher, delivery_headers, invocation_of
from hitl_zendesk.simulator.endings import Endings
from hitl_zendesk.simulator.ids import ulid_of
from hitl_zendesk.simulator.limits import Limits
from hitl_zendesk.simulator.oauth import SIM_CLIENT_ID, SIM_CLIENT_SECRET, OAuth
from hitl_zendesk.simulator.records import SYSTEM_ID, Ticket, User, Via
from hitl_zendesk.simulator.refusals import RefusedError, body_of
from hitl_zendesk.simulator.seen import seen_session, seen_users
from hitl_zendesk.simulator.shown import Shown
from hitl_zendesk.simulator.telling import BY_DEFAULT, CONDITIONAL, PREFIX, Telling
from hitl_zendesk.simulator.texts import all_redacted, html_of_lines
from hitl_zendesk.simulator.tickets import Tickets
from hitl_zendesk.simulator.triggers import Triggers

__all__ = ["ZendeskSimulator"]

STRANGER = "Somebody else"
_OTHER_SECRET = "c2ltdWxhdGVkLXplbmRlc2stc2VjcmV0LXR1cm5lZCE="  # noqa: S105  known to everybody
_UNKNOWN_HOOK = ulid_of("a webhook from before")


class ZendeskSimulator(Simulator):
    """One account, with two agents and the integration's own user, an admin.

    What can be set is on :attr:`account` (``auto_assign``, ``required_to_solve``, ``body_bytes``, ``upload_seconds``,
    ``comments_per_ticket``, lags), :attr:`telling` (``reversed``, ``first_comments``, ``pretty``), :attr:`triggers`
    (``escapes_json``), :attr:`oauth` (``scope``, ``access_seconds``) and :attr:`webhooks` (``retry_after``).

    :param plan: whose rate limits count, such as ``"team"``, ``"professional"``, ``"enterprise"`` or ``"trial"``;
        none without one.
    :param options: those of :class:`~hitl_core.testing.simulator.Simulator`.
    """

    title: ClassVar[str] = "Zendesk"
    agents: ClassVar[tuple[Agent, ...]] = (
        Agent(id="8447388090496", name="Kim Agent", email="kim@helpdesk.example"),
        Agent(id="8447388090624", name="Lou Agent", email="lou@helpdesk.example"),
    )
    teams: ClassVar[tuple[str, ...]] = tuple(str(group) for group in GROUPS)
    closes_for_good: ClassVar[bool] = False
    """Whether agents close tickets, which nothing opens again; by hand they can only solve them."""
    made_up_names: ClassVar[tuple[str, ...]] = (BOT_NAME, STRANGER, "System", "Simulated client", *GROUPS.values())

    def __init__(self, *, plan: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.webhooks: HookDispatcher = HookDispatcher(self.clock, self.sign, self.webhooks.post)
        self.webhooks.subscribe(DEFAULT_ENDPOINT, None, self.secret)
        self.account = Account(self.clock, self.agents)
        self.limits = Limits(self.clock, plan)
        self.oauth = OAuth(self.account)
        shown = Shown(self.account)
        self.tickets = Tickets(self.account)
        self.endings = Endings(self.account, self.tickets)
        self.telling = Telling(self.account, shown, self._event)
        self.triggers = Triggers(self.account, self._call_hook)
        self.tickets.listeners += [self.telling.tell, self.triggers.act]
        rows = [
            *user_rows(self.account, shown, self.limits),
            *ticket_rows(self.account, shown, self.tickets, self.limits),
            *ending_rows(self.account, self.tickets, self.endings, self.limits),
            *comment_rows(self.account, shown, self.tickets, self.limits),
            *upload_rows(self.account, shown),
            *hook_rows(self.account, shown, self.webhooks, self.limits),
            *trigger_rows(self.account, shown),
            *account_rows(self.account),
        ]
        self._api = Api(self.account, self.oauth, self.limits, rows)

    @property
    def updates(self) -> Counter[int]:
        """How many updates each ticket had by the API, by its id."""
        return self.limits.updates

    @property
    def refused(self) -> Counter[str]:
        """How many requests were refused with 429, by the limit that refused them."""
        return self.limits.refused

    # The vendor -----------------------------------------------------------------------------------------------

    def routes(self) -> Sequence[BaseRoute]:
        """Return the API."""

        async def answer(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            await self._api(scope, receive, send)

        return [Mount("/", app=answer)]

    def settings(self, base_url: str) -> dict[str, Any]:
        """Return an account's settings."""
        return {
            "subdomain": "example",
            "base_url": base_url,
            "client_id": SIM_CLIENT_ID,
            "client_secret": SIM_CLIENT_SECRET,
            "webhook_secret": self.secret,
        }

    def serve_at(self, url: str) -> None:
        """Let links lead to this simulator."""
        self.account.public_url = url.rstrip("/")

    def sign(self, secret: str, body: bytes, *, id: str, at: datetime) -> Mapping[str, str]:
        """Sign time and body, and send along what the webhook with this secret was set up with."""
        endpoint = self.webhooks.by_secret(secret)
        hook = self.account.hooks.get(endpoint.id) if endpoint else None
        return delivery_headers(
            secret,
            body,
            hook_id=hook.id if hook else _UNKNOWN_HOOK,
            invocation_id=invocation_of(id),
            at=at,
            extra=credentials_of(hook.given) if hook else {},
        )

    def other_secret(self) -> str:
        """Return a secret as the vendor issues them."""
        return _OTHER_SECRET

    def error(self, status: int) -> tuple[dict[str, str], bytes]:
        """Return a refusal in the recorded shape."""
        return body_of(status)

    def unknown_body(self) -> bytes:
        """Return an event of a type that does not exist."""
        event = {
            "account_id": ACCOUNT_ID,
            "detail": {"id": "1"},
            "event": {},
            "id": self.account.ids.event(),
            "subject": "zen:ticket:1",
            "time": "2026-01-05T12:00:00.123456789Z",
            "type": f"{PREFIX}levitated",
            "zendesk_event_version": "2022-11-06",
        }
        return json.dumps(event, separators=(",", ":")).encode()

    # Webhooks -------------------------------------------------------------------------------------------------

    def _event(self, type_: str, body: bytes, ticket_id: str) -> None:
        """Send an event to who subscribed to its type; as long as nobody made a webhook, to everybody else."""
        for endpoint in list(self.webhooks.endpoints.values()):
            hook = self.account.hooks.get(endpoint.id)
            if hook is not None:
                wanted = type_ in hook.subscriptions
            else:
                wanted = type_ in BY_DEFAULT and (endpoint.url is not None or not self.account.hooks)
            if wanted:
                self.webhooks.emit_to(endpoint.id, body, session_id=ticket_id)

    def _call_hook(self, hook_id: str, body: bytes, ticket_id: str) -> None:
        hook = self.account.hooks.get(hook_id)
        if hook is not None and CONDITIONAL in hook.subscriptions:
            self.webhooks.emit_to(hook_id, body, session_id=ticket_id)

    async def endpoints(self) -> list[SimEndpoint]:
        """Return the account's webhooks."""
        return [
            SimEndpoint(id=hook.id, url=hook.given["endpoint"], enabled=hook.given["status"] == "active")
            for hook in self.account.hooks.values()
        ]

    async def lose_endpoints(self) -> None:
        """Let an admin delete every webhook."""
        for hook_id in list(self.account.hooks):
            del self.account.hooks[hook_id]
            self.webhooks.unsubscribe(hook_id)

    async def change_endpoints(self) -> None:
        """Let an admin point every webhook elsewhere."""
        for hook in self.account.hooks.values():
            hook.given["endpoint"] = ELSEWHERE
            self.webhooks.endpoints[hook.id].url = ELSEWHERE

    # Seen by agents -------------------------------------------------------------------------------------------

    def _ticket(self, session_id: str) -> Ticket:
        if not session_id.isdecimal():
            raise KeyError(session_id)
        return self.account.tickets[int(session_id)]

    async def session(self, session_id: str) -> SimSession:
        """Return a ticket."""
        return seen_session(self.account, self._ticket(session_id), self.agents)

    async def sessions(self) -> list[SimSession]:
        """Return every ticket."""
        return [seen_session(self.account, ticket, self.agents) for ticket in self.account.tickets.values()]

    async def users(self) -> list[SimUser]:
        """Return every customer."""
        return seen_users(self.account)

    # Done by agents -------------------------------------------------------------------------------------------

    def _act(
        self, session_id: str, agent: Agent, given: Mapping[str, Any] | None = None, draft: Draft | None = None
    ) -> None:
        """Change a ticket by an agent's hand.

        :raises HTTPException: the agent could not do this in Zendesk either.
        """
        user = self.account.users[int(agent.id)]
        self._change(self._ticket(session_id), user, given or {}, Via.web(), draft)

    def _change(
        self, ticket: Ticket, user: User | None, given: Mapping[str, Any], via: Via, draft: Draft | None = None
    ) -> None:
        if ticket.status == "deleted":
            raise HTTPException(404, "the ticket was deleted")
        try:
            self.tickets.update(ticket, given, user, via, draft=draft)
        except RefusedError as refused:
            raise HTTPException(refused.status, json.dumps(refused.body)) from refused

    def _draft(self, author_id: int, text: str, *, public: bool = True, files: Sequence[SimFile] = ()) -> Draft:
        kept = [self.account.add_file(file.name, file.content_type, file.content) for file in files]
        html = html_of_lines(text)
        return Draft(author_id, author_id, public, html, is_html=True, files=kept)

    async def reply(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Answer in public."""
        self._act(session_id, agent, draft=self._draft(int(agent.id), text))

    async def note(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Write an internal note."""
        self._act(session_id, agent, draft=self._draft(int(agent.id), text, public=False))

    async def attach(self, session_id: str, text: str, files: Sequence[SimFile], *, agent: Agent) -> None:
        """Answer with files."""
        self._act(session_id, agent, draft=self._draft(int(agent.id), text, files=files))

    async def assign(self, session_id: str, *, agent: Agent) -> None:
        """Take it; a new ticket is open by this."""
        self._act(session_id, agent, {"assignee_id": int(agent.id)})

    async def unassign(self, session_id: str, *, agent: Agent) -> None:
        """Give it back to the group."""
        self._act(session_id, agent, {"assignee_id": None})

    async def solve(self, session_id: str, *, agent: Agent) -> None:
        """Solve it."""
        self._act(session_id, agent, {"status": "solved"})

    async def close(self, session_id: str, *, agent: Agent) -> None:
        """Solve it, which is all an agent can do, or close it where ``closes_for_good`` says so."""
        self._act(session_id, agent, {"status": "closed" if self.closes_for_good else "solved"})

    async def reopen(self, session_id: str, *, agent: Agent) -> None:
        """Open a solved ticket again."""
        self._act(session_id, agent, {"status": "open"})

    async def delete(self, session_id: str, message_id: str, *, agent: Agent) -> None:
        """Redact all of a comment, files included."""
        ticket, user = self._ticket(session_id), self.account.users[int(agent.id)]
        comment = ticket.comment(int(message_id))
        for file in list(comment.attachments):
            self.tickets.redact_file(ticket, comment, file, actor=user, via=Via.web())
        self.tickets.redact(ticket, comment, all_redacted(comment.html), actor=user, via=Via.web())

    async def reply_and_close(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Answer and solve in one update, as agents do."""
        self._act(session_id, agent, {"status": "solved"}, self._draft(int(agent.id), text))

    async def reply_and_assign(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Answer and take it in one update."""
        self._act(session_id, agent, {"assignee_id": int(agent.id)}, self._draft(int(agent.id), text))

    async def make_private(self, session_id: str, message_id: str, *, agent: Agent) -> None:
        """Hide a comment from the requester; no verb of ``/_sim``."""
        ticket = self._ticket(session_id)
        self.tickets.make_private(ticket, ticket.comment(int(message_id)), self.account.users[int(agent.id)], Via.web())

    async def merge(self, session_id: str, into: str, *, agent: Agent) -> None:
        """Merge the ticket into another; no verb of ``/_sim``."""
        user = self.account.users[int(agent.id)]
        self.endings.merge(self._ticket(session_id), self._ticket(into), user, Via.web())

    async def spam(self, session_id: str, *, agent: Agent) -> None:
        """Mark the ticket as spam, which deletes it; no verb of ``/_sim``."""
        self.endings.spam(self._ticket(session_id), self.account.users[int(agent.id)], Via.web())

    async def remove(self, session_id: str, *, agent: Agent) -> None:
        """Delete the ticket; no verb of ``/_sim``."""
        self.endings.delete(self._ticket(session_id), self.account.users[int(agent.id)], Via.web())

    async def restore(self, session_id: str, *, agent: Agent) -> None:
        """Bring a deleted ticket back; no verb of ``/_sim``."""
        self.endings.restore(self._ticket(session_id), self.account.users[int(agent.id)], Via.web())

    async def closed_by_automation(self, session_id: str) -> None:
        """Let days pass after a ticket was solved, so that it is closed for good; no verb of ``/_sim``."""
        self._change(self._ticket(session_id), None, {"status": "closed"}, Via.rule())

    # Done by others -------------------------------------------------------------------------------------------

    async def customer_writes(self, session_id: str, text: str) -> None:
        """Let the requester answer by e-mail: what was solved is open again, after what was closed comes another."""
        ticket = self._ticket(session_id)
        requester = self.account.users[ticket.requester_id]
        draft = self._draft(requester.id, text)
        if ticket.status == "closed":
            given = {"via_followup_source_id": ticket.id, "subject": f"Re: {ticket.subject}"}
            self.tickets.create(given, requester, Via.mail(), draft=draft)
            return
        again = {"status": "open"} if ticket.status in {"solved", "pending", "hold"} else {}
        self._change(ticket, requester, again, Via.mail(), draft)

    async def system_acts(self, session_id: str) -> None:
        """Let an automation add a tag and say so."""
        ticket = self._ticket(session_id)
        draft = self._draft(SYSTEM_ID, "This ticket was tagged automatically.")
        self._change(ticket, None, {"additional_tags": ["automated"]}, Via.rule(), draft)

    async def open_elsewhere(self, text: str) -> str:
        """Let a stranger open a ticket by e-mail."""
        count = self.account.ids.next("stranger")
        stranger = self.account.add_user(STRANGER, email=f"somebody.{count}@elsewhere.example")
        draft = self._draft(stranger.id, text)
        given = {"subject": "Written by mail", "requester_id": stranger.id}
        return str(self.tickets.create(given, stranger, Via.mail(), draft=draft).ticket.id)

    async def expire_credentials(self) -> None:
        """Let every access token given out so far end."""
        self.oauth.expire()
