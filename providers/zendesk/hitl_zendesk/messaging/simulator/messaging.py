"""The simulator: an app of Sunshine Conversations, and the agents who answer in their workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal
from urllib.parse import quote

from hitl_core.people import Agent
from hitl_core.testing.simulator import SimFile, SimMessage, SimSession, Simulator, SimUser, WebhookRetries
from hitl_zendesk.messaging.simulator.records import (
    AGENT_ID,
    APP_ID,
    BOT,
    OURS,
    WORKSPACE,
    Conversation,
    Records,
    StoredFile,
    truncated,
)

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

__all__ = ["ZendeskMessagingSimulator"]

_FOREIGN: Final = "5f1a5e0c0a2b3c4d5e6fffff"
_WEBHOOK: Final = "5f1a5e0c0a2b3c4d5e6f0003"


class ZendeskMessagingSimulator(Simulator):
    """Keeps everything in memory.

    :param scope: whose key the bot has: the app's, or its own integration's, which sees less and may do less.
    :param lists_metadata: whether lists of conversations show metadata.
    :param lists_secrets: whether lists of webhooks show their secrets.
    :param private_attachments: whether files can be had with a key alone.
    :param multi_conversations: whether a customer can have several conversations.
    :param switchboard_enabled: whether the switchboard is on.
    :param page_size: messages on a page.
    :param most_messages: of one conversation.
    """

    title: ClassVar[str] = "Zendesk messaging"
    signs_time: ClassVar[bool] = False
    signs_body: ClassVar[bool] = False
    agents: ClassVar[tuple[Agent, ...]] = (
        Agent(id="21000000000001", name="Kim Agent", email="kim@helpdesk.example"),
        Agent(id="21000000000002", name="Lou Agent", email="lou@helpdesk.example"),
    )
    webhook_retries: ClassVar[WebhookRetries] = WebhookRetries(
        delays=(30, 90, 240, 540), timeout=20, final=frozenset({400, 401, 403, 404, 406}), disabling=frozenset()
    )
    made_up_names: ClassVar[tuple[str, ...]] = (
        *(OURS, WORKSPACE, BOT),
        *("Simulated app", "Automated Response", "Answer Bot", "Web User"),
    )
    key_secret: ClassVar[str] = "key-secret-of-the-simulated-app"  # noqa: S105 - a simulator's

    def __init__(
        self,
        *,
        scope: Literal["app", "integration"] = "app",
        lists_metadata: bool = True,
        lists_secrets: bool = True,
        private_attachments: bool = False,
        multi_conversations: bool = True,
        switchboard_enabled: bool = True,
        page_size: int = 100,
        most_messages: int = 30_000,
        **options: Any,
    ) -> None:
        self.scope = scope
        self.lists_metadata = lists_metadata
        self.lists_secrets = lists_secrets
        self.private_attachments = private_attachments
        self.multi_conversations = multi_conversations
        self.switchboard_enabled = switchboard_enabled
        self.page_size = page_size
        self.most_messages = most_messages
        self.records = Records()
        self._url = "https://helpdesk.test/"
        super().__init__(**options)

    def routes(self) -> Sequence[BaseRoute]:
        """Return the API."""
        from hitl_zendesk.messaging.simulator.api import api_routes
        from hitl_zendesk.messaging.simulator.switchboard import Switchboard

        self.switchboard = Switchboard(self)
        return api_routes(self)

    def settings(self, base_url: str) -> dict[str, Any]:
        """Return an account's settings."""
        from hitl_zendesk.messaging.simulator.api import KEY_ID

        self.serve_at(base_url)
        return {
            "subdomain": "simulated",
            "base_url": f"{base_url}/sc",
            "app_id": APP_ID,
            "key_id": KEY_ID,
            "key_secret": self.key_secret,
            "integration": OURS,
            "webhook_secret": self.secret,
        }

    def serve_at(self, url: str) -> None:
        """Let files have addresses below ``url``."""
        self._url = f"{url.rstrip('/')}/"

    def sign(self, secret: str, body: bytes, *, id: str, at: datetime) -> Mapping[str, str]:
        """Repeat the secret, as the vendor does; it proves neither body nor time."""
        del body, id, at
        return {"x-api-key": secret}

    def error(self, status: int) -> tuple[dict[str, str], bytes]:
        """Return a refusal in the vendor's form."""
        body = b'{"errors":[{"code":"status_%d","title":"Simulated refusal"}]}' % status
        return {"content-type": "application/json"}, body

    def unknown_body(self) -> bytes:
        """Return an event of a type that does not exist."""
        return (
            b'{"app":{"id":"%b"},"webhook":{"id":"%b","version":"v2"},"events":[{"id":"evt-new",'
            b'"type":"conversation:levitated","createdAt":"2026-01-01T00:00:00.000Z","payload":{}}]}'
        ) % (APP_ID.encode(), _WEBHOOK.encode())

    def foreign_body(self, body: bytes) -> bytes:
        """Return the same events from the app next door."""
        return body.replace(APP_ID.encode(), _FOREIGN.encode())

    # What can be seen -----------------------------------------------------------------------------------------

    async def session(self, session_id: str) -> SimSession:
        """Return a conversation as agents see it."""
        found = self.records.conversations[session_id]
        is_open = found.active == WORKSPACE
        return SimSession(
            id=found.id,
            title=found.display_name or "",
            open=is_open,
            final=found.ticket is not None and not is_open,
            agent=found.agent,
            user_id=found.user_id,
            external_id=found.metadata.get("hitlExternalId"),
            messages=tuple(self._seen(message) for message in found.messages),
            facts=found.ticket or {},
        )

    async def sessions(self) -> list[SimSession]:
        """Return every conversation."""
        return [await self.session(id_) for id_ in self.records.conversations]

    async def users(self) -> list[SimUser]:
        """Return every customer."""
        return [_seen_user(user) for user in self.records.users.values()]

    def _seen(self, message: Mapping[str, Any]) -> SimMessage:
        author, content = message["author"], message["content"]
        role: Literal["user", "bot", "agent", "system"] = "user" if author["type"] == "user" else "bot"
        if (agent := message.get("metadata", {}).get(AGENT_ID)) is not None:
            role = "system" if agent.startswith("__") else "agent"
        files: tuple[SimFile, ...] = ()
        if "mediaUrl" in content:
            kept = self.records.files.get(content["mediaUrl"].rpartition("/attachments/")[2].partition("/")[0])
            named = SimFile(name=content.get("altText") or content["mediaUrl"])
            files = (SimFile(name=kept.name, content_type=kept.content_type, content=kept.content) if kept else named,)
        return SimMessage(
            id=message["id"],
            role=role,
            author=author.get("displayName"),
            text=content.get("text", ""),
            files=files,
            at=datetime.fromisoformat(message["received"]),
        )

    # Agents and others ----------------------------------------------------------------------------------------

    async def reply(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Answer."""
        self._agent_writes(session_id, {"type": "text", "text": text}, agent)

    async def attach(self, session_id: str, text: str, files: Sequence[SimFile], *, agent: Agent) -> None:
        """Answer with files: the workspace sends the text and each file as a message of its own."""
        if text:
            await self.reply(session_id, text, agent=agent)
        for file in files:
            stored = StoredFile(file.name, file.content_type, file.content, private=self.private_attachments)
            content = {
                "type": "image" if file.content_type.startswith("image/") else "file",
                "mediaUrl": self.store(stored, self._url),
                "mediaType": file.content_type,
                "mediaSize": len(file.content),
                "altText": file.name,
            }
            self._agent_writes(session_id, content, agent)

    async def reply_and_assign(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Take it by answering: nothing else tells who has it."""
        await self.reply(session_id, text, agent=agent)

    async def close(self, session_id: str, *, agent: Agent) -> None:
        """End the messaging session: the workspace releases control; the ticket stays."""
        del agent
        found = self.records.conversations[session_id]
        if found.active == WORKSPACE:
            self.switchboard.release(found, {})

    async def customer_writes(self, session_id: str, text: str) -> None:
        """Let the customer write in the web widget."""
        found = self.records.conversations[session_id]
        author = {"type": "user", "userId": found.user_id, "displayName": "Web User"}
        self.write(found, author, {"type": "text", "text": text}, source={"type": "web"})

    async def system_acts(self, session_id: str) -> None:
        """Let a trigger of the account write its automatic text."""
        author = {"type": "business", "displayName": "Automated Response"}
        self.write(
            self.records.conversations[session_id],
            author,
            {"type": "text", "text": "simulated: we are busy"},
            metadata={AGENT_ID: "__trigger"},
            source={"type": "zd:agentWorkspace"},
        )

    async def open_elsewhere(self, text: str) -> str:
        """Let a customer come by the web widget; another bot has offered the conversation to our integration."""
        user = {"id": self.records.new_id(0xA1), "externalId": None, "profile": {"givenName": "Web User"}}
        self.records.users[user["id"]] = user  # type: ignore[index]
        found = self.open_conversation(str(user["id"]), name=None, metadata={})
        self.switchboard.pass_to(found, WORKSPACE, {})
        found.pending = OURS
        self.write(
            found, {"type": "user", "userId": user["id"]}, {"type": "text", "text": text}, source={"type": "web"}
        )
        return found.id

    async def emit_batch(self, session_id: str, texts: Sequence[str], *, agent: Agent) -> None:
        """Answer several times in one delivery."""
        found = self.records.conversations[session_id]
        events = [self._agent_writes(session_id, {"type": "text", "text": text}, agent, tell=False) for text in texts]
        self.tell(found, *events)

    def _agent_writes(
        self, session_id: str, content: dict[str, Any], agent: Agent, *, tell: bool = True
    ) -> dict[str, Any]:
        found = self.records.conversations[session_id]
        found.agent = agent
        return self._written(
            found,
            {"type": "business", "displayName": agent.name},
            content,
            metadata={AGENT_ID: agent.id},
            source={"type": "zd:agentWorkspace"},
            tell=tell,
        )

    # The records ----------------------------------------------------------------------------------------------

    def stamp(self, at: datetime | None = None) -> str:
        """Return a time as the vendor writes it."""
        return f"{(at or self.clock.now()).astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"

    def store(self, file: StoredFile, base_url: str) -> str:
        """Keep a file; return its address."""
        id_ = self.records.new_id(0xF1)
        self.records.files[id_] = file
        return f"{base_url}sc/attachments/{id_}/{quote(file.name, safe='')}"

    def open_conversation(self, user_id: str, *, name: str | None, metadata: Mapping[str, Any]) -> Conversation:
        """Open a conversation; the first in the switchboard has control of it."""
        made = Conversation(
            self.records.new_id(0xC1), user_id, self.clock.now(), display_name=name, metadata=dict(metadata), active=BOT
        )
        self.records.conversations[made.id] = made
        return made

    def write(
        self,
        conversation: Conversation,
        author: Mapping[str, Any],
        content: Mapping[str, Any],
        *,
        metadata: Mapping[str, Any] | None = None,
        source: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Add a message, and tell of it; return it."""
        event = self._written(conversation, author, content, metadata=metadata, source=source)
        message: dict[str, Any] = event["payload"]["message"]
        return message

    def _written(
        self,
        conversation: Conversation,
        author: Mapping[str, Any],
        content: Mapping[str, Any],
        *,
        metadata: Mapping[str, Any] | None,
        source: Mapping[str, Any],
        tell: bool = True,
    ) -> dict[str, Any]:
        message = {
            "id": self.records.new_id(0xB1),
            "received": self.stamp(),
            "author": dict(author),
            "content": dict(content),
            "source": dict(source),
            **({"metadata": dict(metadata)} if metadata else {}),
        }
        conversation.messages.append(message)
        self.switchboard.written(conversation)
        return self.happened("conversation:message", conversation, {"message": message}, tell=tell)

    def hears(self, conversation: Conversation) -> bool:
        """Whether our integration is told of a conversation: it has control, is offered it, or listens anyway."""
        standby = self.records.integrations[OURS]["deliverStandbyEvents"]
        return OURS in {conversation.active, conversation.pending} or bool(standby)

    def happened(
        self,
        kind: str,
        conversation: Conversation,
        payload: Mapping[str, Any],
        *,
        told: bool = False,
        tell: bool = True,
    ) -> dict[str, Any]:
        """Note an event, and tell of it.

        :param told: our integration hears of it whoever has control by now.
        """
        event = {
            "id": self.records.new_id(0xD1),
            "createdAt": self.stamp(),
            "type": kind,
            "payload": {"conversation": truncated(conversation, self.records), **payload},
        }
        if tell and (told or self.hears(conversation)):
            self.tell(conversation, event)
        return event

    def tell(self, conversation: Conversation, *events: Mapping[str, Any]) -> None:
        """Send a webhook."""
        body = {"app": {"id": APP_ID}, "webhook": {"id": _WEBHOOK, "version": "v2"}, "events": list(events)}
        self.webhooks.emit(body, session_id=conversation.id)


def _seen_user(user: Mapping[str, Any]) -> SimUser:
    profile = user["profile"]
    name = " ".join(profile[part] for part in ("givenName", "surname") if profile.get(part))
    return SimUser(id=user["id"], external_id=user["externalId"], name=name or None, email=profile.get("email"))
