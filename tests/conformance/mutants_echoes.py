"""Mutants for the group ``echoes``."""

from pydantic_core import from_json

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider
from hitl_core.testing.reference.events import facts_of

from .mutation import kills
from .variants import changed

NOBODY = "nobody"


class _Reading(ReferenceProvider):
    """Reads deliveries its own way."""

    def read(self, event, request):
        """Translate one event as if nothing were ours."""
        del request
        return facts_of(event, connection=self._ctx.key, me=NOBODY)

    @hitl.hookimpl
    async def parse_webhook(self, request):
        events = from_json(request.delivery.body)["events"]
        return hitl.Parsed(events=tuple(fact for event in events for fact in self.read(event, request)))


@kills("test_the_opening_never_comes_back_as_an_agents_message")
class KnowsNotItself(_Reading):
    """Takes whatever is not the customer's for an agent's."""


@kills("test_what_we_send_never_comes_back_by_webhook")
class ForgetsTheSystem(_Reading):
    """Tells echoes by the roles it writes as, and forgets one."""

    def read(self, event, request):
        role = event["actor"]["role"]
        me = event["actor"]["id"] if role in {"user", "bot"} else NOBODY
        return facts_of(event, connection=self._ctx.key, me=me)


@kills("test_what_we_send_never_comes_back_by_pull")
class KnowsItselfByWebhookAlone(ReferenceProvider):
    """Does not tell echoes when it reads a ticket."""

    @hitl.hookimpl
    async def list_events(self, request):
        page = await super().list_events(request)
        raw = {event.raw["id"]: event.raw for event in page.events}
        read = (facts_of(event, connection=self._ctx.key, me=NOBODY) for event in raw.values())
        return changed(page, events=tuple(fact for facts in read for fact in facts))


@kills("test_an_agent_may_say_the_same_as_we_did")
class TellsEchoesByWords(ReferenceProvider):
    """Takes for an echo what has the words of a message it sent."""

    def __init__(self, ctx):
        super().__init__(ctx)
        self._said = set()

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        self._said.add(request.message.text)
        return await super().add_message(request)

    @hitl.hookimpl
    async def parse_webhook(self, request):
        parsed = await super().parse_webhook(request)
        return changed(parsed, events=tuple(self._checked(event) for event in parsed.events))

    def _checked(self, event):
        if isinstance(event, hitl.AgentMessage) and event.message.text in self._said:
            return hitl.Ignored(reason=hitl.IgnoredReason.ECHO, event_id=event.event_id, session=event.session)
        return event


@kills("test_an_echo_that_overtakes_our_answer_is_known_for_one")
class TellsEchoesByIdAlone(_Reading):
    """Tells echoes by the ids of our messages, which it may not know yet."""

    def read(self, event, request):
        return facts_of(event, connection=self._ctx.key, me=NOBODY, known=request)
