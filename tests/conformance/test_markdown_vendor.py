"""A vendor that tells of everything twice, and is read as Markdown, is heard as the kit wants it."""

import pytest

import hitl_core as hitl
from hitl_core.rendering import clean_html, text_to_html
from hitl_core.testing.reference import ReferenceProvider, ReferenceSimulator

from .incoming import IncomingSuite


class EditorSimulator(ReferenceSimulator):
    """A helpdesk whose agents write in an editor, and that has two rules for every event."""

    def write(self, ticket, text, *, actor, **more):
        wrapped = f'<div class="editor">{text_to_html(text)}</div>' if actor["role"] == "agent" else text
        return super().write(ticket, wrapped, actor=actor, **more)

    async def edit(self, session_id, message_id, text, *, agent):
        await super().edit(session_id, message_id, f"<p>{text_to_html(text)}</p>", agent=agent)

    def tell(self, ticket, *events):
        super().tell(ticket, *events)
        super().tell(ticket, *events)

    def _seen(self, message):
        return super()._seen(message).model_copy(update={"html": message["actor"]["role"] == "agent"})


class MarkdownProvider(ReferenceProvider):
    """Turns agents' HTML into Markdown."""

    __module__ = ReferenceProvider.__module__

    @hitl.hookimpl
    async def parse_webhook(self, request):
        parsed = await super().parse_webhook(request)
        return parsed.model_copy(update={"events": tuple(map(cleaned, parsed.events))})

    @hitl.hookimpl
    async def list_events(self, request):
        page = await super().list_events(request)
        return page.model_copy(update={"events": tuple(map(cleaned, page.events))})


def cleaned(event):
    if not isinstance(event, hitl.AgentMessage | hitl.AgentMessageUpdated):
        return event
    message = event.message
    if isinstance(message, hitl.Bloc):
        clean = hitl.Bloc(items=tuple(readable(item) for item in message.items))
    else:
        clean = readable(message)
    return event.model_copy(update={"message": clean})


def readable(item):
    return hitl.Markdown(markdown=clean_html(item.text).text or "-") if isinstance(item, hitl.Text) else item


class TestMarkdownVendor(IncomingSuite):
    @pytest.fixture
    def provider(self):
        return MarkdownProvider

    @pytest.fixture
    def simulator(self, clock):
        return EditorSimulator(clock=clock)
