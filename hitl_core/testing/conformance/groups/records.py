"""``list_events``: the vendor's record of a session tells what webhooks tell, whole and once, however it is read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from hitl_core.calls import EventPage
from hitl_core.connection import Connection
from hitl_core.errors import NotFoundError
from hitl_core.events import (
    AgentAssigned,
    AgentMessage,
    AgentUnassigned,
    AnyEvent,
    Ignored,
    SessionReopened,
    SessionStopped,
)
from hitl_core.messages import AnyMessage, Bloc, Media
from hitl_core.people import Author
from hitl_core.sessions import HitlSession, SessionRef
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.attempts import later, outcome, told
from hitl_core.testing.conformance.tools.claims import promised
from hitl_core.testing.conformance.tools.reading import numbered
from hitl_core.testing.simulator import SimFile

__all__ = ["RecordTests"]

_PAGES = 200
_PATIENCE = 2
_SAID = "kit-said-"


class RecordTests(ConformanceBase):
    """Reading a session."""

    @rule("list_events", "parse_webhook", needs=("pull",))
    async def test_push_and_pull_tell_the_same(self, room: Room) -> None:
        """A message has one event id, one message id and the same words by webhook and by pull; the state is one."""
        session = await room.session()
        last = await _talk(room, session)

        def is_over(heard: Sequence[AnyEvent]) -> bool:
            return set(range(last + 1)) <= set(_said(heard)) and any(isinstance(each, SessionStopped) for each in heard)

        pushed = await room.hear(session, until=is_over)
        pulled, page = await _read(room, session)
        assert _facts(pushed) == _facts(pulled), (
            f"messages by webhook {_facts(pushed)}, by pull {_facts(pulled)}: make event_id and message_id from ids "
            "that both show, and read both with the same code"
        )
        assert page.state is not None, "list_events says how the session stands: EventPage(state=…)"
        agents = [each for each in pushed if isinstance(each, AgentAssigned | AgentUnassigned)]
        if agents:
            heard = agents[-1].agent.id if isinstance(agents[-1], AgentAssigned) else None
            read = page.state.agent.id if page.state.agent else None
            assert heard == read, f"by webhook the session was last given to {heard}, by pull it has {read}"
        ends = [each for each in pushed if isinstance(each, SessionStopped | SessionReopened)]
        is_open = isinstance(ends[-1], SessionReopened)
        assert page.state.open is is_open, "webhooks and pull differ on whether the session is open"

    @rule("list_events", needs=("pull",))
    async def test_reading_goes_on_where_it_ended(self, room: Room) -> None:
        """From its cursor on, a read gives what is new: nothing twice, nothing lost, in order."""
        session = await room.session()
        await _reply(room, session, 0, 1)
        first, page = await _read(room, session)
        await _reply(room, session, 2, 3, 4)
        then, page = await _read(room, session, page.cursor)
        again, _ = await _read(room, session, page.cursor)
        assert _said(first) == [0, 1], f"the first read gave replies {_said(first)} of 0 and 1"
        assert _said(then) == [2, 3, 4], f"after 0 and 1 came replies 2, 3 and 4; reading on gave {_said(then)}"
        assert not again, f"nothing happened since, and reading on gave {[each.kind for each in again]}"

    @rule("list_events", needs=("pull",))
    async def test_reading_without_a_cursor_begins_at_the_beginning(self, room: Room) -> None:
        """Without a cursor everything is read, however often it was read before; each event has an id of its own."""
        session = await room.session()
        await _reply(room, session, 0, 1, 2)
        before, _ = await _read(room, session)
        events, _ = await _read(room, session)
        assert _said(events) == [0, 1, 2], f"of replies 0 to 2 there came {_said(events)}"
        ids = [each.event_id for each in events]
        assert len(ids) == len(set(ids)), "two events of one session have the same event_id"
        assert ids == [each.event_id for each in before], "the same facts have the same event_ids at every read"

    @rule("list_events", "start_hitl", needs=("pull",))
    async def test_reading_from_the_cursor_of_the_start_misses_nothing(self, room: Room) -> None:
        """Where a start names a cursor, everything agents say is behind it."""
        session = await room.session(history=room.history())
        await _reply(room, session, 0, 1)
        with promised("a session can be read from the cursor its start gave"):
            events = await room.pull(session)
        assert _said(events) == [0, 1], f"reading from StartedSession.cursor gave replies {_said(events)} of 0 and 1"

    @rule("list_events", needs=("pull",))
    async def test_small_pages_lose_nothing(self, room: Room) -> None:
        """Read one event at a time, as long as there is ``more``, a session holds the same as in one go."""
        session = await room.session()
        await room.send(session, "kit-ours")
        await _reply(room, session, 0, 1, 2, 3)
        whole, _ = await _read(room, session)
        pieces, _ = await _read(room, session, limit=1)
        assert [each.event_id for each in pieces] == [each.event_id for each in whole], (
            f"in one go replies {_said(whole)}, in small pages {_said(pieces)}; `cursor` is where the *next* page "
            "begins, and `more` says whether there is one"
        )

    @rule("list_events", needs=("pull",))
    async def test_a_cursor_outlives_the_process(self, room: Room) -> None:
        """A cursor can be stored as JSON and is understood by another instance of the provider."""
        session = await room.session()
        await _reply(room, session, 0)
        _, page = await _read(room, session)
        cursor = json.loads(json.dumps(page.cursor))
        await _reply(room, session, 1)
        async with room.connect() as other:
            events, _ = await _read(room, session, cursor, connection=other)
        assert _said(events) == [1], (
            f"another instance read replies {_said(events)} where there is only 1 behind the cursor; keep in the "
            "cursor itself what it stands for"
        )

    @rule("list_events", needs=("pull",))
    async def test_the_state_is_true(self, room: Room) -> None:
        """The state says who has the session and whether it is open, after everything agents can do to it."""
        session = await room.session()
        agent, other = room.simulator.agents[0].id, room.simulator.agents[-1].id
        steps: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
            ("", {}, {"open": True, "agent": None}),
            ("assign", {"agent": agent}, {"open": True, "agent": agent}),
            ("assign", {"agent": other}, {"open": True, "agent": other}),
            ("unassign", {}, {"open": True, "agent": None}),
            ("solve", {}, {"open": False}),
            ("reopen", {}, {"open": True}),
            ("close", {}, {"open": False}),
        )
        wrong = []
        for act, how, expected in steps:
            if act and (act not in room.simulator.abilities or (act == "reopen" and await _is_open(room, session))):
                continue
            if act:
                await getattr(room.agent, act)(session.id, **how)
            await later(room, room.connection.limits.settle_seconds)
            state = (await _read(room, session))[1].state
            found = {"open": state and state.open, "agent": state.agent.id if state and state.agent else None}
            wrong += [
                f"{name} is {found[name]!r} after {act or 'the start'}, not {value!r}"
                for name, value in expected.items()
                if found[name] != value
            ]
        assert not wrong, f"EventPage.state tells how the session stands when it is read; {'; '.join(wrong)}"

    @rule("list_events", needs=("pull",))
    async def test_a_closed_session_is_read_to_its_end(self, room: Room) -> None:
        """What an agent wrote before closing can be read afterwards, and the state says closed (R10)."""
        session = await room.session()
        _, page = await _read(room, session)
        await room.agent.reply_and_close(session.id, f"{_SAID}0")
        events, page = await _read(room, session, page.cursor)
        assert _said(events) == [0], "the agent's last words of a closed session must be readable"
        assert page.state is not None, "list_events says how the session stands: EventPage(state=…)"
        assert not page.state.open, "the session is closed, and list_events says that it is open"

    @rule("list_events", needs=("pull",))
    async def test_a_session_that_is_gone_is_not_open(self, room: Room) -> None:
        """Reading a session that does not exist raises ``NotFoundError``, or gives a state that is not open."""
        session = await room.session()
        missing = SessionRef(connection=session.ref.connection, id=room.simulator.missing_session_id(session.id))
        ended = await outcome(room.connection.list_events(missing))
        if isinstance(ended, EventPage):
            assert ended.state is not None, "of a session that is gone, say so: NotFoundError, or a state"
            assert not ended.state.open, "a session that is gone is not open"
        else:
            assert isinstance(ended, NotFoundError), f"a session that is gone is NotFoundError; {told(ended)}"

    @rule("list_events", needs=("pull",))
    async def test_our_own_messages_are_not_read_as_an_agents(self, room: Room) -> None:
        """What customer and bot wrote through us is an ignored echo, or is not shown at all (F24)."""
        session = await room.session(description="kit-ours-0", history=room.history())
        await room.send(session, "kit-ours-1")
        await room.send(session, "kit-ours-2", author=Author.bot("Kit bot"))
        await room.agent.reply(session.id, f"{_SAID}0")
        events, _ = await _read(room, session)
        _only_the_agent_speaks(events, room.own_ids(session))

    @rule("list_events", needs=("pull",))
    async def test_what_is_not_for_the_customer_is_not_read_as_an_agents_message(self, room: Room) -> None:
        """Notes, automations and the customer's own mail are no agent's messages by pull either (F24, F30, R12)."""
        session = await room.session()
        abilities = room.simulator.abilities
        if "note" in abilities:
            await room.agent.note(session.id, "kit-hidden-note")
        if "customer_writes" in abilities:
            await room.agent.customer_writes(session.id, "kit-hidden-mail")
        if "system_acts" in abilities:
            await room.agent.system_acts(session.id)
        await room.agent.reply(session.id, f"{_SAID}0")
        events, _ = await _read(room, session)
        _only_the_agent_speaks(events, frozenset())

    @rule("list_events", needs=("pull",))
    async def test_a_read_may_wait(self, room: Room) -> None:
        """A read that may wait gives what is there already, whether or not the vendor can wait."""
        session = await room.session()
        _, page = await _read(room, session)
        await room.agent.reply(session.id, f"{_SAID}0")
        with promised("`wait` is an offer: a vendor that cannot wait answers at once"):
            read = await room.connection.list_events(session, cursor=page.cursor, wait=_PATIENCE)
        assert _said(read.events) == [0], "what is there already is not waited for, and not lost"


# The agent's part ---------------------------------------------------------------------------------------------


async def _reply(room: Room, session: HitlSession, *numbers: int) -> None:
    for number in numbers:
        await room.agent.reply(session.id, f"{_SAID}{number}")


async def _talk(room: Room, session: HitlSession) -> int:
    """Let the agent do everything that ends with a closed session; return the number of the last thing said."""
    abilities, agent = room.simulator.abilities, room.simulator.agents[0].id
    if "assign" in abilities:
        await room.agent.assign(session.id, agent=agent)
    await _reply(room, session, 0)
    if "note" in abilities:
        await room.agent.note(session.id, "kit-hidden")
    number = 1
    if "attach" in abilities:
        file = SimFile(name="kit-notes.txt", content_type="text/plain", content=b"kit")
        await room.agent.attach(session.id, f"{_SAID}1", [file])
        number = 2
    await room.agent.reply_and_close(session.id, f"{_SAID}{number}")
    return number


async def _is_open(room: Room, session: HitlSession) -> bool:
    return (await room.agent.session(session.id)).open


# What was read ------------------------------------------------------------------------------------------------


async def _read(
    room: Room,
    session: HitlSession,
    cursor: str | None = None,
    *,
    limit: int = 100,
    connection: Connection | None = None,
) -> tuple[list[AnyEvent], EventPage]:
    """Read to the end; return everything and the last page."""
    events: list[AnyEvent] = []
    with promised("a session that exists can be read"):
        for _ in range(_PAGES):
            page = await (connection or room.connection).list_events(
                session, cursor=cursor, own_message_ids=room.own_ids(session), limit=limit
            )
            events += page.events
            if not page.more:
                return events, page
            assert page.cursor != cursor, "there is more, and the cursor stays: this would be read for ever"
            cursor = page.cursor
    raise AssertionError(f"a session of a few messages had more than {_PAGES} pages: when does `more` become false?")


def _said(events: Iterable[AnyEvent]) -> list[int]:
    """Return the numbers of what agents said, in order."""
    return [
        number
        for each in events
        if isinstance(each, AgentMessage)
        for number in numbered(each.message.model_dump_json(), _SAID)
    ]


def _facts(events: Iterable[AnyEvent]) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {each.event_id: (each.message_id, _words(each.message)) for each in events if isinstance(each, AgentMessage)}


def _words(message: AnyMessage) -> tuple[str, ...]:
    if isinstance(message, Bloc):
        return tuple(word for item in message.items for word in _words(item))
    if isinstance(message, Media):
        return (message.name or message.title or "",)
    return (str(getattr(message, "text", None) or getattr(message, "markdown", "")),)


def _only_the_agent_speaks(events: Iterable[AnyEvent], own: frozenset[str]) -> None:
    events = list(events)
    said = [each for each in events if isinstance(each, AgentMessage)]
    wrong = [each.message_id for each in said if f"{_SAID}0" not in each.message.model_dump_json()]
    assert not wrong, (
        f"messages {', '.join(wrong)} are no agent's words for the customer: Ignored(reason=…), by author and by "
        "request.own_message_ids"
    )
    assert len(said) == 1, f"the agent wrote once, and was read {len(said)} times"
    ours = [each for each in events if getattr(each, "message_id", None) in own]
    assert all(isinstance(each, Ignored) for each in ours), "what we wrote ourselves is Ignored, or not shown at all"
