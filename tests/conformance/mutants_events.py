"""Mutants for the group ``events``: what agents write."""

import re

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider

from .mutation import kills


class Retelling(ReferenceProvider):
    """The reference, telling some of what it hears differently."""

    @hitl.hookimpl
    async def parse_webhook(self, request):
        parsed = await super().parse_webhook(request)
        return parsed.model_copy(update={"events": tuple(self.retold(list(parsed.events), request))})

    def retold(self, events, request):
        """Return the events of a delivery as this provider tells them."""
        return [told for event in events for told in self.told(event)]

    def told(self, event):
        """Return what becomes of one event."""
        return [self.reply(event) if isinstance(event, hitl.AgentMessage) else event]

    def reply(self, event):
        """Return what becomes of an agent's message."""
        return event


def but(event, **changes):
    """Return an event with other values."""
    return event.model_copy(update=changes)


def text_of(event):
    """Return the words of an agent's message."""
    items = getattr(event.message, "items", (event.message,))
    return "".join(getattr(item, "text", "") for item in items)


@kills("test_an_agents_reply_is_one_message")
class TellsTwice(Retelling):
    """Tells of a reply when it is made, and again as a reply."""

    def told(self, event):
        again = isinstance(event, hitl.AgentMessage)
        return [event, but(event, event_id=f"{event.event_id}:again")] if again else [event]


@kills("test_an_agents_reply_is_one_message")
class NamesTheSessionItsOwnWay(Retelling):
    """Puts the vendor's name in front of the session's id."""

    def reply(self, event):
        return but(event, session=but(event.session, id=f"reference:{event.session.id}"))


@kills("test_a_reply_belongs_to_the_connection_that_heard_it")
class KnowsOneConnection(Retelling):
    """Takes itself for the only connection."""

    def reply(self, event):
        return but(event, session=but(event.session, connection="default/reference"))


@kills("test_a_reply_names_its_agent")
class KnowsNoAgents(Retelling):
    """Does not say who wrote."""

    def reply(self, event):
        return but(event, agent=None)


@kills("test_a_reply_names_its_agent")
class KnowsOneAgent(Retelling):
    """Takes every agent for the first."""

    def reply(self, event):
        return but(event, agent=hitl.Agent(id="agent-1", name="Kim Agent"))


@kills("test_a_reply_has_the_vendors_id_and_time")
class TakesTheEventForTheMessage(Retelling):
    """Names a message by the event that tells of it."""

    def reply(self, event):
        return but(event, message_id=event.event_id)


@kills("test_a_reply_has_the_vendors_id_and_time")
class KnowsNoTime(Retelling):
    """Does not say when something was written."""

    def reply(self, event):
        return but(event, occurred_at=None)


@kills("test_what_an_agent_types_arrives_as_typed")
class TakesTypedMarkupForMarkup(Retelling):
    """Takes tags away that an agent typed."""

    def reply(self, event):
        return but(event, message=hitl.Text(text=re.sub(r"<[^<>]*>", "", text_of(event)) or "-"))


@kills("test_an_agents_lines_stay_lines")
class JoinsLines(Retelling):
    """Joins the lines of a message."""

    def reply(self, event):
        return but(event, message=hitl.Text(text=" ".join(text_of(event).split())))


@kills("test_no_markup_of_the_vendors_reaches_the_customer")
class LeavesHtml(Retelling):
    """Passes on the vendor's HTML as if it were text."""

    def reply(self, event):
        return but(event, message=hitl.Text(text=f"<p>{text_of(event)}</p>"))


@kills("test_replies_keep_their_order")
class NamesMessagesByTheirSession(Retelling):
    """Gives every message of a session one id."""

    def reply(self, event):
        return but(event, message_id=event.session.id)


@kills("test_replies_told_in_one_delivery_are_all_heard")
class ReadsTheFirst(Retelling):
    """Reads the first event of a delivery."""

    def retold(self, events, request):
        return events[:1]


@kills("test_replies_told_in_one_delivery_are_all_heard")
class ReadsBackwards(Retelling):
    """Tells the newest event of a delivery first."""

    def retold(self, events, request):
        return events[::-1]


@kills("test_an_edited_reply_is_told_as_such")
class TakesEditsForMessages(Retelling):
    """Tells of a changed message as of another one."""

    def told(self, event):
        if not isinstance(event, hitl.AgentMessageUpdated):
            return [event]
        return [hitl.AgentMessage.model_validate({**event.model_dump(exclude={"kind"}), "message": event.message})]


@kills("test_a_reply_taken_back_is_told_as_such")
class ForgetsWhatWasTakenBack(Retelling):
    """Keeps silent about messages that were taken back."""

    def told(self, event):
        if isinstance(event, hitl.AgentMessageDeleted):
            return [hitl.Ignored(event_id=event.event_id, session=event.session, reason="irrelevant")]
        return [event]


@kills("test_an_agents_files_are_heard_by_name")
class LeavesFilesOut(Retelling):
    """Hears the words of a message with files, not the files."""

    def reply(self, event):
        return but(event, message=hitl.Text(text=text_of(event) or "-"))


@kills("test_an_agents_files_are_heard_by_name")
class ForgetsNames(Retelling):
    """Forgets what files are called."""

    def reply(self, event):
        items = getattr(event.message, "items", None)
        if items is None:
            return event
        named = [but(item, name="attachment") if hasattr(item, "name") else item for item in items]
        return but(event, message=hitl.Bloc(items=tuple(named)))


@kills("test_an_agents_files_can_be_opened")
class OpensHalf(ReferenceProvider):
    """Gives the first piece of a file and takes it for the whole."""

    @hitl.hookimpl
    async def open_attachment(self, request):
        stream = await super().open_attachment(request)
        whole = b"".join([chunk async for chunk in stream.chunks])

        async def half():
            yield whole[: len(whole) // 2]

        stream.chunks = half()
        return stream
