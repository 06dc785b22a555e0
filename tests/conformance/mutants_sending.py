"""Mutants for the group ``sending``."""

import asyncio
import re

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider

from .mutation import kills
from .variants import Bending, NoNotes, changed, declaring, text_of
from .vendors import HtmlProvider, HtmlSimulator

_NAMES = "test_each_message_is_shown_under_the_right_name"
_WRITTEN = "test_a_message_arrives_as_it_was_written"
_IDS = "test_each_message_has_ids_of_its_own"
_STATE = "test_a_state_that_comes_with_an_answer_is_true"
_NOTE = "test_a_note_is_not_public"


@kills(_NAMES)
class SaysItAllItself(Bending):
    """Writes what the customer says as the bot."""

    def bend(self, body):
        body["role"] = "bot"


@kills(_NAMES)
class SpeaksAsAnAgent(Bending):
    """Writes what the system says as a human agent."""

    def bend(self, body):
        body["role"] = "agent" if body["role"] == "system" else body["role"]


@kills("test_the_bots_words_are_shown_as_the_bots")
class SpeaksForTheCustomer(Bending):
    """Writes what the bot says as the customer's words."""

    def bend(self, body):
        body["role"] = "user" if body["role"] == "bot" else body["role"]


@kills("test_what_another_agent_said_is_not_shown_as_the_customers")
class KnowsCustomersAlone(ReferenceProvider):
    """Takes everybody with an id for the customer."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        if request.author.id is not None:
            return await super().add_message(changed(request, author=changed(request.author, role=hitl.Role.USER)))
        return await super().add_message(request)


@kills("test_what_another_agent_said_is_not_shown_as_the_customers")
class ForbidsAgents(ReferenceProvider):
    """Does not know what to do with an agent's words."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        if request.author.role is hitl.Role.AGENT:
            msg = "agents write in the helpdesk"
            raise hitl.InvalidRequestError(msg)
        return await super().add_message(request)


@kills("test_every_kind_of_message_can_be_read_or_opened")
class DeclaresCards(ReferenceProvider):
    """Declares a kind it does not translate."""

    info = declaring(message_types=frozenset({"text", "image", "file", "card"}))


@kills("test_every_kind_of_message_can_be_read_or_opened")
class ShowsTheMapAlone(ReferenceProvider):
    """Shows where a place is, and not what it is called."""

    info = declaring(message_types=frozenset({"text", "image", "file", "location"}))

    async def _content(self, message):
        if isinstance(message, hitl.Location):
            return {"text": f"https://maps.example/{message.latitude},{message.longitude}"}
        return await super()._content(message)


@kills("test_a_long_text_arrives_whole_and_in_order")
class CutsLongTexts(ReferenceProvider):
    """Cuts texts, for want of a limit that would have them split."""

    info = declaring(limits={"text": None})

    async def _content(self, message):
        content = await super()._content(message)
        return {**content, "text": content["text"][:1000]}


@kills("test_a_text_as_long_as_declared_arrives_whole")
class CountsCharactersAsUnits(ReferenceProvider):
    """Refuses texts of emoji that are as long as it declares, for it counts otherwise."""

    async def _content(self, message):
        if len(text_of(message).encode("utf-16-le")) // 2 > 1000:
            msg = "the text is too long"
            raise hitl.InvalidRequestError(msg)
        return await super()._content(message)


@kills("test_a_text_as_long_as_declared_arrives_whole")
class LeavesNoRoomForEscaping(HtmlProvider):
    """Escapes what it sends, and declares the limit of what the helpdesk takes afterwards."""

    simulator = HtmlSimulator
    info = declaring(HtmlProvider, limits={"text": hitl.TextLimit(max=1000)})


@kills("test_a_text_as_long_as_declared_arrives_whole")
class DeclaresLongerTexts(ReferenceProvider):
    """Declares more than the helpdesk takes."""

    info = declaring(limits={"text": hitl.TextLimit(max=1500)})


@kills(_WRITTEN)
class EscapesPlainText(Bending):
    """Escapes for HTML what the helpdesk shows as it is."""

    def bend(self, body):
        body["text"] = body["text"].replace("&", "&amp;").replace("<", "&lt;")


@kills(_WRITTEN)
class StripsTags(Bending):
    """Takes everything in angle brackets for markup."""

    def bend(self, body):
        body["text"] = re.sub(r"<[^>]*>", "", body["text"])


@kills(_WRITTEN)
class UnescapesBackslashes(Bending):
    """Drops backslashes."""

    def bend(self, body):
        body["text"] = body["text"].replace("\\", "")


@kills("test_lines_stay_lines")
class PutsAllInOneLine(Bending):
    """Joins lines by spaces."""

    def bend(self, body):
        body["text"] = " ".join(body["text"].split())


@kills("test_messages_arrive_in_the_order_they_were_sent")
class SendsTheBotsWordsLater(ReferenceProvider):
    """Lets the bot's words wait for the next message."""

    def __init__(self, ctx):
        super().__init__(ctx)
        self._waiting = []

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        if request.author.role is hitl.Role.BOT:
            self._waiting.append(request)
            return hitl.SentMessage()
        sent = await super().add_message(request)
        while self._waiting:
            await super().add_message(self._waiting.pop(0))
        return sent


@kills("test_messages_of_two_sessions_sent_at_once_do_not_mix")
class KeepsTheMessageInSelf(ReferenceProvider):
    """Keeps what it sends in the instance, which two calls share."""

    _request = None

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        self._request = request
        await asyncio.sleep(0)
        return await super().add_message(self._request)


@kills(_IDS)
class GivesNoIds(ReferenceProvider):
    """Does not say what it added."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        return changed(await super().add_message(request), ids=())


@kills(_IDS)
class GivesTheTicketsId(ReferenceProvider):
    """Takes the ticket's id for the message's."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        return changed(await super().add_message(request), ids=(request.session.id,))


@kills(_IDS)
class InventsIds(ReferenceProvider):
    """Gives its own keys as the helpdesk's ids."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        return changed(await super().add_message(request), ids=(request.key,))


@kills(_STATE)
class CallsEverythingClosed(ReferenceProvider):
    """Says that the session is closed."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        return changed(await super().add_message(request), state=hitl.SessionState(open=False))


@kills(_STATE)
class ForgetsTheAgent(ReferenceProvider):
    """Says that nobody has the session."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        return changed(await super().add_message(request), state=hitl.SessionState(open=True))


@kills(_NOTE)
class MakesNotesPublic(Bending):
    """Writes every note where the customer can see it."""

    def bend(self, body):
        body["public"] = True


@kills(_NOTE)
class HidesEverything(Bending):
    """Writes everything as a note."""

    def bend(self, body):
        body["public"] = False


@kills("test_a_note_is_refused_where_there_are_none")
class HasNotesAfterAll(NoNotes):
    """Finds out in `open` that the account has notes, which it declares to have none of."""

    @hitl.hookimpl
    async def open(self):
        profile = await super().open()
        return changed(profile, capabilities=ReferenceProvider.info.capabilities)


@kills("test_a_message_to_a_session_that_does_not_exist_says_so")
class CallsItClosed(ReferenceProvider):
    """Takes a ticket that does not exist for one that is closed."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        try:
            return await super().add_message(request)
        except hitl.NotFoundError as error:
            raise hitl.SessionClosedError(error.message) from error


@kills("test_a_message_to_a_session_that_does_not_exist_says_so")
class ShrugsItOff(ReferenceProvider):
    """Says nothing when there is no such ticket."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        try:
            return await super().add_message(request)
        except hitl.NotFoundError:
            return hitl.SentMessage()


@kills("test_blank_words_are_refused_unsent_or_do_no_harm")
class StumblesOverBlanks(ReferenceProvider):
    """Sends the first paragraph of a text alone."""

    async def _content(self, message):
        content = await super()._content(message)
        return {**content, "text": content["text"].split("\n\n")[0].strip()}
