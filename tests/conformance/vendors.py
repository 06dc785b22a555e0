"""Whole vendors with other manners than the reference helpdesk's: in HTML, step by step, by hints."""

import hitl_core as hitl
from hitl_core.extensions import map_words
from hitl_core.rendering import clean_html, text_to_html
from hitl_core.testing.reference import ReferenceProvider, ReferenceSimulator

from .variants import KeyedSends, UnkeyedStarts, changed, declaring, text_of

_WRITES = frozenset({"start_hitl", "send_message", "stop_hitl"})


class HtmlSimulator(ReferenceSimulator):
    """A helpdesk that keeps every message as HTML."""

    def write(self, ticket, text, *, actor, **more):
        """Add a message; what people type there becomes HTML."""
        typed = actor["id"] != "app-1"
        return super().write(ticket, text_to_html(text) if typed else text, actor=actor, **more)

    async def edit(self, session_id, message_id, text, *, agent):
        """Change a message."""
        await super().edit(session_id, message_id, text_to_html(text), agent=agent)

    def _seen(self, message):
        return changed(super()._seen(message), html=True)


class HtmlProvider(KeyedSends):
    """Writes HTML and reads it, and every message of its opens a ticket again."""

    __module__ = ReferenceProvider.__module__
    info = declaring(
        KeyedSends, reopen="always", limits={"opening": hitl.TextLimit(max=800), "text": hitl.TextLimit(max=400)}
    )

    async def _call(self, operation, method, path, **request):
        body = request.get("json")
        if operation in _WRITES and body and "text" in body:
            reopen = {"reopen": True} if path.endswith("/messages") else {}
            request["json"] = {**body, **reopen, "text": text_to_html(body["text"])}
        return await super()._call(operation, method, path, **request)

    @hitl.hookimpl
    async def parse_webhook(self, request):
        parsed = await super().parse_webhook(request)
        return changed(parsed, events=tuple(_read(event) for event in parsed.events))

    @hitl.hookimpl
    async def list_events(self, request):
        page = await super().list_events(request)
        return changed(page, events=tuple(_read(event) for event in page.events))

    @hitl.hookimpl
    async def find_message(self, request):
        part = request.request
        if text := text_of(part.message):
            part = changed(part, message=hitl.Text(text=text_to_html(text)))
        return await super().find_message(changed(request, request=part))


def _read(event):
    if not isinstance(event, hitl.AgentMessage | hitl.AgentMessageUpdated):
        return event
    return changed(event, message=map_words(event.message, lambda html: clean_html(html, to="text").text))


class SteppingProvider(UnkeyedStarts):
    """Opens in steps, one write each, and learns by hints that something changed."""

    __module__ = ReferenceProvider.__module__
    info = declaring(UnkeyedStarts, limits={"opening": None})

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        if request.resume is None:
            return _opened(await super().create_ticket(changed(request, relay=())))
        session = hitl.HitlSession.model_validate(request.resume["session"])
        placed = request.resume["placed"]
        if placed == len(request.relay):
            return hitl.StartedSession(session=session, relayed=placed, cursor="0")
        sent = await self.add_message(_message(request, session, request.relay[placed]))
        resume = {**request.resume, "placed": placed + 1}
        return hitl.StartedSession(session=session, ids=sent.ids, resume=resume)

    @hitl.hookimpl
    async def find_session(self, request):
        finding = await super().find_session(changed(request, request=changed(request.request, relay=())))
        return changed(finding, started=_opened(finding.started)) if isinstance(finding, hitl.Found) else finding

    @hitl.hookimpl
    async def parse_webhook(self, request):
        parsed = await super().parse_webhook(request)
        told = [event for event in parsed.events if getattr(event, "session", None) is None]
        hints = [self._hint(request, ticket) for ticket in request.delivery.session_ids]
        return changed(parsed, events=(*told, *hints))

    def _hint(self, request, ticket):
        session = hitl.SessionRef(connection=self._ctx.key, id=ticket)
        event_id = f"{request.delivery.id}:{ticket}"
        if not request.is_ours(ticket):
            return hitl.Ignored(reason=hitl.IgnoredReason.NOT_OURS, event_id=event_id, session=session)
        return hitl.SessionChanged(event_id=event_id, session=session)


def _opened(started):
    """Hand on what the next step needs."""
    session = started.session.model_dump(mode="json")
    return changed(started, session=None, relayed=0, resume={"session": session, "placed": 0})


def _message(request, session, item):
    return hitl.SendMessage(
        session=session,
        author=item.author or hitl.Author.bot(),
        message=item.attachment or hitl.Text(text=item.text),
        visibility="internal" if item.internal else "public",
        key=request.key,
    )
