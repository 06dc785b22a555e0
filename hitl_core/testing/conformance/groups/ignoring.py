"""``parse_webhook``: what is not for the customer's ears, and why; nothing disappears without a reason."""

from __future__ import annotations

from collections.abc import Sequence

from hitl_core.events import AgentMessage, AnyEvent, Ignored, IgnoredReason, SessionChanged, UnknownEvent
from hitl_core.people import Author
from hitl_core.sessions import HitlSession
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.claims import promised
from hitl_core.testing.conformance.tools.genuine import genuine
from hitl_core.testing.conformance.tools.hearing import everything_told, replies, said, says, told_in
from hitl_core.testing.simulator import SimWebhook

__all__ = ["IgnoringTests"]

_NEXT = "kit-next-reply"
"""What an agent says afterwards, so that it is known when everything before has arrived."""


class IgnoringTests(ConformanceBase):
    """What is not for the customer."""

    @rule("parse_webhook", abilities=("note",))
    async def test_an_internal_note_is_never_a_message(self, room: Room) -> None:
        """An internal note is ``Ignored`` as ``internal_note``, and never a message (R12)."""
        session = await room.session()
        await room.agent.note(session.id, "kit-note-words")
        heard, webhooks = await _heard_until_next(room, session)
        _assert_ignored(heard, webhooks, "kit-note-words", IgnoredReason.INTERNAL_NOTE)

    @rule("parse_webhook", "send_message")
    async def test_what_we_sent_is_an_echo(self, room: Room) -> None:
        """What comes back of our own messages is ``Ignored`` as ``echo``, by the ids the sends gave (F24)."""
        session = await room.session(description="kit-opening-words")
        await room.send(session, "kit-customer-words")
        await room.send(session, "kit-bot-words", author=Author.bot("Kit bot"))
        heard, webhooks = await _heard_until_next(room, session)
        wrong = [text for text in ("kit-opening-words", "kit-customer-words", "kit-bot-words") if said(text)(heard)]
        assert not wrong, f"the customer would hear what we sent ourselves: {', '.join(wrong)}; see is_own_message"
        echoes = [event for event in heard if isinstance(event, Ignored) and event.reason is IgnoredReason.ECHO]
        if told_in(webhooks, "kit-bot-words"):
            assert echoes, "a message of ours that comes back is Ignored(reason=echo): nothing disappears unsaid"

    @rule("parse_webhook", "send_message", "identify")
    async def test_what_the_bot_said_is_known_without_a_record(self, room: Room) -> None:
        """Without any record of what we sent, the bot's messages are still no agent's, by its identity (F24)."""
        session = await room.session(description="kit-opening-words")
        await room.send(session, "kit-bot-words", author=Author.bot("Kit bot"))
        await room.agent.reply(session.id, _NEXT)
        await room.hear(session, said(_NEXT))
        for webhook in room.received:
            with promised("a delivery can be read without any record of sessions"):
                events = await room.parse(webhook)
            wrong = [event for event in events if says(event, "kit-bot-words") or says(event, "kit-opening-words")]
            assert not wrong, "a webhook may overtake the answer that names the message: know the bot by ctx.identity()"

    @rule("parse_webhook", abilities=("customer_writes",))
    async def test_what_the_customer_writes_there_is_no_agents_message(self, room: Room) -> None:
        """What the customer writes by the vendor's own channel is ``Ignored`` as ``end_user`` (F24, S275)."""
        session = await room.session()
        await room.agent.customer_writes(session.id, "kit-mail-words")
        heard, webhooks = await _heard_until_next(room, session)
        _assert_ignored(heard, webhooks, "kit-mail-words", IgnoredReason.END_USER)

    @rule("parse_webhook", abilities=("system_acts",))
    async def test_what_a_machine_does_is_not_told_to_customers(self, room: Room) -> None:
        """What an automation of the vendor does gives nothing a customer would hear of (F30, R09)."""
        session = await room.session()
        await room.agent.system_acts(session.id)
        heard, _ = await _heard_until_next(room, session)
        quiet = (Ignored, UnknownEvent, SessionChanged)
        wrong = [event.kind for event in heard if not isinstance(event, quiet) and not says(event, _NEXT)]
        assert not wrong, f"an automation is no agent; it was told as {', '.join(wrong)}"

    @rule("parse_webhook")
    async def test_every_delivery_means_something(self, room: Room) -> None:
        """Every delivery gives at least one event: what is not for the customer is ``Ignored``, with the reason."""
        session, webhooks = await everything_told(room)
        for webhook in webhooks:
            with promised("what the vendor sends can be read"):
                events = await room.parse(webhook, session)
            assert events, f"a delivery of {len(webhook.body)} bytes gave no event: say Ignored(reason=…) at least"

    # Kinds nobody waits for -------------------------------------------------------------------------------------

    @rule("parse_webhook", abilities=("emit_unknown",))
    async def test_a_delivery_of_an_unknown_kind_is_no_failure(self, room: Room) -> None:
        """A delivery of a kind the provider does not know is an ``UnknownEvent``, or ignored: vendors add kinds."""
        webhook = room.signed(room.simulator.unknown_body())
        with promised("a kind that is new is an UnknownEvent"):
            events = await room.parse(webhook)
        wrong = [event.kind for event in events if not isinstance(event, UnknownEvent | Ignored | SessionChanged)]
        assert events, "a kind that is new is an UnknownEvent with its raw object"
        assert not wrong, f"what a new kind means is not known; it was told as {', '.join(wrong)}"

    @rule("parse_webhook", abilities=("ping",))
    async def test_a_test_delivery_is_known_as_such(self, room: Room) -> None:
        """The vendor's test delivery is ``Ignored`` as ``test_ping``."""
        await room.agent.ping()
        reasons: list[str] = []
        while IgnoredReason.TEST_PING not in reasons and (arrived := await room.webhooks()):
            for webhook in arrived:
                with promised("the vendor's test delivery is accepted and read"):
                    events = await room.parse(webhook)
                reasons += [event.reason if isinstance(event, Ignored) else event.kind for event in events]
        assert IgnoredReason.TEST_PING in reasons, f"a test delivery is Ignored(reason=test_ping); it gave {reasons}"

    # Sessions of others -----------------------------------------------------------------------------------------

    @rule("parse_webhook")
    async def test_a_session_that_is_not_ours_is_ignored_until_it_is(self, room: Room) -> None:
        """An event of a session that is not in ``known`` is ``Ignored`` as ``not_ours``; once it is, it is heard."""
        ours = await room.session()
        theirs = await room.session(user=await room.user("-other"))  # some vendors keep one session a customer
        session, webhook = await genuine(room, theirs)
        with promised("a delivery about a session of somebody else's can be read"):
            before = await room.parse(webhook, ours)
            after = await room.parse(webhook, ours, session)
        told = [event.reason if isinstance(event, Ignored) else event.kind for event in before]
        assert told, "a session that is not ours is Ignored(reason=not_ours)"
        assert set(told) == {IgnoredReason.NOT_OURS}, f"ask request.is_ours(session_id); the delivery gave {told}"
        heard = [event for event in after if isinstance(event, AgentMessage | SessionChanged)]
        assert heard, "the same delivery, read again once the session is in known, must give the message"

    @rule("parse_webhook", abilities=("open_elsewhere",))
    async def test_a_session_no_bot_opened_is_never_heard(self, room: Room) -> None:
        """What happens in a session customers opened themselves is not passed on (S258)."""
        ours = await room.session()
        elsewhere = await room.agent.open_elsewhere("kit-foreign-words")
        await room.agent.reply(elsewhere, "kit-foreign-reply")
        heard, webhooks = await _heard_until_next(room, ours)
        for webhook in webhooks:
            with promised("a delivery about a session of somebody else's can be read"):
                heard += await room.parse(webhook, ours)
        wrong = [event for event in heard if said("kit-foreign-words")([event]) or said("kit-foreign-reply")([event])]
        assert not wrong, "a session the bot has not opened is Ignored(reason=not_ours): ask request.is_ours"


async def _heard_until_next(room: Room, session: HitlSession) -> tuple[list[AnyEvent], list[SimWebhook]]:
    """Let an agent reply, and return what was heard up to there and the deliveries it came in."""
    await room.agent.reply(session.id, _NEXT)
    heard = await room.hear(session, said(_NEXT))
    return heard, room.received


def _assert_ignored(
    heard: Sequence[AnyEvent], webhooks: Sequence[SimWebhook], text: str, reason: IgnoredReason
) -> None:
    """Fail when words reached the customer, or were told of and disappeared."""
    assert not said(text)(heard), f"the customer would hear this: it is Ignored(reason={reason.value})"
    authors = [event for event in replies(heard) if not says(event, _NEXT)]
    assert not authors, "nothing but the agent's own reply is a message"
    reasons = [event.reason.value for event in heard if isinstance(event, Ignored)]
    if told_in(webhooks, text):
        assert reason.value in reasons, f"say why it is left out: Ignored(reason={reason.value}); said were {reasons}"
