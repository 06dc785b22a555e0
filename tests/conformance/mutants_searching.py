"""Mutants for the group ``searching``."""

import dataclasses
from datetime import UTC, datetime

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider

from .mutation import kills

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def told(**more):
    """Return the reference's description with other capabilities or limits."""
    info = ReferenceProvider.info
    capabilities = info.capabilities.model_copy(update=more.pop("capabilities", {}))
    limits = info.limits.model_copy(update=more.pop("limits", {}))
    return dataclasses.replace(info, capabilities=capabilities, limits=limits, **more)


# Sessions -----------------------------------------------------------------------------------------------------


@kills("test_a_start_whose_answer_was_lost_is_found")
class AlwaysAbsent(ReferenceProvider):
    """Says Absent of every start, as if a start that was not answered had not happened."""

    @hitl.hookimpl
    async def find_session(self):
        return hitl.Absent()


@kills("test_a_start_that_never_arrived_is_not_found")
class AlwaysFound(ReferenceProvider):
    """Says Found with an id of its own making."""

    @hitl.hookimpl
    async def find_session(self, request):
        finding = await super().find_session(request)
        if isinstance(finding, hitl.Found):
            return finding
        ref = hitl.SessionRef(connection=self._ctx.key, id="tck-1")
        session = hitl.HitlSession(ref=ref, provider=self.info.name)
        return hitl.Found(started=hitl.StartedSession(session=session))


class TakesTheNewest(ReferenceProvider):
    """Takes the newest ticket for ours."""

    @hitl.hookimpl
    async def find_session(self, request):
        page = await self._call("find_session", "GET", "changes")
        for id_ in reversed([event["ticket_id"] for event in page["events"]]):
            ticket = await self._call("find_session", "GET", f"tickets/{id_}")
            if self.is_ours(ticket, request):
                return hitl.Found(started=hitl.StartedSession(session=self._session(ticket)))
        return hitl.Absent()

    def is_ours(self, ticket, request):
        return True


@kills("test_another_customers_session_is_not_taken_for_a_lost_one")
class TakesAnybodys(TakesTheNewest):
    """Takes the newest ticket of any customer for ours."""


@kills("test_another_conversations_session_is_not_taken_for_a_lost_one")
class TakesTheCustomers(TakesTheNewest):
    """Takes the customer's newest ticket for ours, whatever it is about."""

    def is_ours(self, ticket, request):
        return ticket["customer_id"] == request.request.user.id


@kills("test_a_session_that_is_accounted_for_is_not_taken_for_a_lost_one")
class ForgetsKnownSessions(ReferenceProvider):
    """Does not look at known_ids."""

    @hitl.hookimpl
    async def find_session(self, request):
        return await super().find_session(request.model_copy(update={"known_ids": frozenset()}))


@kills("test_an_older_session_is_not_taken_for_a_lost_one")
class FindsOldSessions(ReferenceProvider):
    """Does not look at sent_after."""

    @hitl.hookimpl
    async def find_session(self, request):
        return await super().find_session(request.model_copy(update={"sent_after": LONG_AGO}))


@kills("test_a_found_session_carries_on")
class ForgetsWhatWasRelayed(ReferenceProvider):
    """Finds the session, and says that nothing of the history is in it."""

    @hitl.hookimpl
    async def find_session(self, request):
        finding = await super().find_session(request)
        if not isinstance(finding, hitl.Found):
            return finding
        return hitl.Found(started=finding.started.model_copy(update={"relayed": 0}))


@kills(
    "test_a_session_is_not_called_absent_before_the_vendor_has_settled",
    "test_a_message_is_not_called_absent_before_the_vendor_has_settled",
)
class SaysAbsentTooSoon(ReferenceProvider):
    """Knows that the search lags, and trusts it all the same."""

    info = told(limits={"settle_seconds": 30})


# Messages -----------------------------------------------------------------------------------------------------


@kills("test_a_message_whose_answer_was_lost_is_found")
class ComparesOddly(ReferenceProvider):
    """Looks for the text with its markup escaped, though the vendor stores it as it is."""

    @hitl.hookimpl
    async def find_message(self, request):
        part = request.request
        text = part.message.text.replace("&", "&amp;").replace("<", "&lt;")
        other = part.model_copy(update={"message": hitl.Text(text=text)})
        return await super().find_message(request.model_copy(update={"request": other}))


@kills("test_a_message_that_never_arrived_is_not_found")
class InventsAMessage(ReferenceProvider):
    """Says Found whenever the session is there."""

    @hitl.hookimpl
    async def find_message(self, request):
        finding = await super().find_message(request)
        return hitl.Found(sent=hitl.SentMessage(ids=("msg-1",))) if isinstance(finding, hitl.Absent) else finding


@kills(
    "test_a_message_that_is_accounted_for_is_not_taken_for_a_lost_one",
)
class ForgetsKnownMessages(ReferenceProvider):
    """Does not look at known_ids."""

    @hitl.hookimpl
    async def find_message(self, request):
        return await super().find_message(request.model_copy(update={"known_ids": frozenset()}))


@kills("test_the_second_of_two_equal_messages_is_found_as_itself")
class FindsTheFirst(ReferenceProvider):
    """Takes the oldest message with the same words, whether it is known or not."""

    @hitl.hookimpl
    async def find_message(self, request):
        finding = await super().find_message(
            request.model_copy(update={"known_ids": frozenset(), "sent_after": LONG_AGO})
        )
        return hitl.Absent() if request.known_ids and isinstance(finding, hitl.Absent) else finding


@kills("test_an_older_message_is_not_taken_for_a_lost_one")
class FindsOldMessages(ReferenceProvider):
    """Does not look at sent_after."""

    @hitl.hookimpl
    async def find_message(self, request):
        return await super().find_message(request.model_copy(update={"sent_after": LONG_AGO}))


@kills("test_an_agents_message_is_not_taken_for_a_lost_one")
class FindsAnybodysWords(ReferenceProvider):
    """Looks at the words and not at who wrote them."""

    @hitl.hookimpl
    async def find_message(self, request):
        part = request.request
        found = await self._call("find_message", "GET", f"tickets/{part.session.id}/messages")
        for message in found["messages"]:
            if message["text"] == part.message.text and message["id"] not in request.known_ids:
                return hitl.Found(sent=hitl.SentMessage(ids=(message["id"],)))
        return hitl.Absent()


@kills("test_a_note_whose_answer_was_lost_is_found")
class LooksAtPublicMessagesOnly(ReferenceProvider):
    """Looks for notes among the public messages."""

    @hitl.hookimpl
    async def find_message(self, request):
        if request.request.visibility == "internal":
            return hitl.Absent()
        return await super().find_message(request)


@kills("test_each_part_of_a_split_text_is_found_for_itself")
class FindsOnePartForAll(ReferenceProvider):
    """Takes the newest message of ours, though it is another part of the same text."""

    @hitl.hookimpl
    async def find_message(self, request):
        found = await self._call("find_message", "GET", f"tickets/{request.request.session.id}/messages")
        return hitl.Found(sent=hitl.SentMessage(ids=(found["messages"][-1]["id"],)))


@kills("test_a_file_that_arrived_is_not_called_absent")
class NeverFindsFiles(ReferenceProvider):
    """Looks for the caption of a file, and says Absent because there is none."""

    @hitl.hookimpl
    async def find_message(self, request):
        finding = await super().find_message(request)
        return hitl.Absent() if isinstance(finding, hitl.Inconclusive) else finding
