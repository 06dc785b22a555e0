"""Starting a hand-off in steps, each of one write, so that each can be looked up and none is done twice (S253).

A ticket is made when control reaches the agent workspace, and takes its fields from that one transfer: so the
conversation is created, control taken, everything said that agents are to read, and only then control handed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import JsonValue

import hitl_core as hitl
from hitl_core.rendering import split_text
from hitl_zendesk.messaging.api import SunshineApi
from hitl_zendesk.messaging.marks import MAX_METADATA, Marks, size_of
from hitl_zendesk.messaging.outgoing import MAX_TEXT, Poster, author_of
from hitl_zendesk.messaging.record import Cursor
from hitl_zendesk.messaging.settings import Plain, ZendeskMessagingOptions, ZendeskMessagingSettings

__all__ = ["Opening", "Post", "next_post", "posts_of"]

_OPERATION: Final = "start_hitl"
_SYSTEM: Final = "dataCapture.systemField."
_FIRST: Final = "first_message_id"
_ID_LENGTH: Final = 24

Post = tuple[hitl.Author, hitl.Message]
"""One message of the opening, and by whom."""


def posts_of(request: hitl.StartHitl) -> tuple[Post, ...]:
    """Return what agents are to read: the introduction (behaviour S255), then the history."""
    introduction = ((hitl.Author.bot(), hitl.Text(text=text)) for text in _introduction(request))
    history = (
        (item.author or hitl.Author.bot(), item.attachment or hitl.Text(text=item.text or "-"))
        for item in request.relay
    )
    return (*introduction, *history)


def next_post(request: hitl.StartHitl) -> Post:
    """Return the message that this step posts."""
    return posts_of(request)[_number(request.resume or {})]


def _introduction(request: hitl.StartHitl) -> Iterator[str]:
    email = request.user.data.get("email") or request.user.data.get("contact") or "none given"
    head = f"New conversation\n\nE-mail: {email}\nTitle: {request.title}"
    text = f"{head}\nDescription: {request.description or 'none given'}"
    if MAX_TEXT.allows(text):
        yield text
        return
    yield from split_text(head, MAX_TEXT)
    if request.description:
        yield from split_text(request.description, MAX_TEXT)


def ticket_fields(user: hitl.ExternalUser, options: ZendeskMessagingOptions) -> dict[str, Plain]:
    """Return what the transfer to the agent workspace sets on the ticket, without empty values (behaviour S254).

    Name and address are the helpdesk's own record of the customer, so that nobody is renamed (behaviour F35).
    """
    email = user.data.get("email")
    system: dict[str, Any] = {
        "requester.name": user.name,
        "requester.email": email if isinstance(email, str) else None,
        "priority": {"medium": "normal"}.get(options.priority or "", options.priority),
        "organization_id": options.organization_id,
        "brand_id": options.brand_id,
        "group_id": options.group_id,
        "assignee_id": options.assignee_id,
        "tags": ",".join(options.tags),
    }
    fields: dict[str, Plain] = {f"{_SYSTEM}{name}": _plain(value) for name, value in system.items() if value}
    if options.origin_source_type:
        fields["origin_source_type"] = options.origin_source_type
    fields |= {f"dataCapture.ticketField.{field.id}": field.value for field in options.custom_fields}
    return fields | options.metadata


def _plain(value: Any) -> Plain:
    return str(value) if isinstance(value, int) else value


class Opening:
    """Takes the steps.

    ``resume`` holds what is to be ``do``-ne, the ``conversation``, the number of the ``next`` message, and the id of
    the ``first`` one.
    """

    def __init__(
        self, api: SunshineApi, poster: Poster, marks: Marks, ctx: hitl.ProviderContext[ZendeskMessagingSettings]
    ) -> None:
        self._api = api
        self._poster = poster
        self._marks = marks
        self._connection = ctx.key
        self._provider = ctx.provider
        self._settings = ctx.settings

    async def step(self, request: hitl.StartHitl) -> hitl.StartedSession:
        """Take one step: one write."""
        resume = request.resume
        if resume is None:
            return await self._create(request)
        conversation = str(resume["conversation"])
        match resume["do"]:
            case "take":
                await self._pass(request, conversation, self._settings.integration, {})
                return self._next(request, resume, "post")
            case "post":
                return await self._post(request, resume, conversation)
            case "hand":
                fields = self._fields(request, str(resume.get("first") or ""))
                await self._pass(request, conversation, self._settings.agent_workspace, fields)
                return self._next(request, resume, "offer")
            case "offer":
                target, marks = self._settings.integration, self._marks.of(request.key)
                await self._api.control(_OPERATION, "offerControl", conversation, target=target, metadata=marks)
                last = str(resume.get("last") or "")
                return hitl.StartedSession(
                    session=self.session(request, conversation),
                    relayed=len(request.relay),
                    cursor=Cursor(last or None).written(),
                )
        msg = "this start was begun by another version; start the hand-off anew"
        raise hitl.InvalidRequestError(msg, operation=_OPERATION)

    async def _create(self, request: hitl.StartHitl) -> hitl.StartedSession:
        size = size_of(self._fields(request, "0" * _ID_LENGTH))
        if size > MAX_METADATA:
            msg = (
                f"tags, custom_fields and metadata take {size} bytes together, and the agent workspace takes "
                f"{MAX_METADATA}; pass less"
            )
            raise hitl.InvalidRequestError(msg, operation=_OPERATION, fields=("tags", "custom_fields", "metadata"))
        body = {
            "type": "personal",
            "participants": [{"userId": request.user.id, "subscribeSDKClient": False}],
            # No displayName: customers may see it, and titles are written for agents.
            "metadata": self._marks.of_start(request),
        }
        return self.created(request, await self._api.create_conversation(_OPERATION, body))

    def created(self, request: hitl.StartHitl, conversation: str) -> hitl.StartedSession:
        """Return what the first step comes to, done now or found later."""
        return self._next(request, {"conversation": conversation}, "take")

    async def _post(
        self, request: hitl.StartHitl, resume: Mapping[str, JsonValue], conversation: str
    ) -> hitl.StartedSession:
        author, message = next_post(request)
        # Words of others than the customer of this conversation are the business's, under their own name.
        user_id = request.user.id if author.role == hitl.Role.USER and author.id == request.user.id else None
        ids = await self._poster.post(
            _OPERATION,
            conversation,
            author=author_of(author, user_id),
            message=message,
            metadata=self._marks.of(request.key),
        )
        return self.posted(request, resume, ids)

    def posted(
        self, request: hitl.StartHitl, resume: Mapping[str, JsonValue], ids: tuple[str, ...]
    ) -> hitl.StartedSession:
        """Return what a message of the opening comes to, posted now or found later."""
        number = _number(resume) + 1
        then: dict[str, JsonValue] = {**resume, "next": number}
        if ids:
            then |= {"first": resume.get("first") or ids[0], "last": ids[-1]}
        return self._next(request, then, "post" if number < len(posts_of(request)) else "hand", ids)

    async def _pass(self, request: hitl.StartHitl, conversation: str, target: str, fields: Mapping[str, Plain]) -> None:
        metadata = {**fields, **self._marks.of(request.key)}
        await self._api.control(_OPERATION, "passControl", conversation, target=target, metadata=metadata)

    def _fields(self, request: hitl.StartHitl, first: str) -> dict[str, Plain]:
        """Return the metadata of the transfer to agents; without the first message's id they would see the last ten."""
        fields = ticket_fields(request.user, ZendeskMessagingOptions.model_validate(request.options))
        return {**({_FIRST: first} if first else {}), **fields, **self._marks.of(request.key)}

    def _next(
        self, request: hitl.StartHitl, resume: Mapping[str, JsonValue], do: str, ids: tuple[str, ...] = ()
    ) -> hitl.StartedSession:
        session = self.session(request, str(resume["conversation"]))
        return hitl.StartedSession(session=session, ids=ids, resume={**resume, "do": do})

    def session(self, request: hitl.StartHitl, conversation: str) -> hitl.HitlSession:
        """Return the session a conversation is."""
        return hitl.HitlSession(
            ref=hitl.SessionRef(connection=self._connection, id=conversation),
            provider=self._provider,
            user_id=request.user.id,
            external_id=request.external_id,
        )


def _number(resume: Mapping[str, JsonValue]) -> int:
    """Return which message is next."""
    number = resume.get("next", 0)
    return number if isinstance(number, int) else 0
