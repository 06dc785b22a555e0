"""``list_changes``: which sessions of the account moved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hitl_core.sessions import HitlSession
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.attempts import later
from hitl_core.testing.conformance.tools.claims import promised

__all__ = ["ChangeTests"]

_PAGES = 200
_PATIENCE = 2
_A_WHILE = 120.0


class ChangeTests(ConformanceBase):
    """What moved."""

    @rule("list_changes", needs=("changes",))
    async def test_changes_name_a_session_after_everything_that_happens_to_it(self, room: Room) -> None:
        """A session is named after a reply, an assignment, its end and its return."""
        session = await room.session()
        abilities = room.simulator.abilities
        acts: dict[str, Callable[[], Awaitable[None]]] = {
            "assign": lambda: room.agent.assign(session.id),  # first: a reply may assign, too
            "reply": lambda: room.agent.reply(session.id, "kit-moved"),
            "unassign": lambda: room.agent.unassign(session.id),
            "solve": lambda: room.agent.solve(session.id),
            "reopen": lambda: room.agent.reopen(session.id),
            "close": lambda: room.agent.close(session.id),
        }
        if "solve" not in abilities:
            acts.pop("reopen")  # it would find nothing to open
        _, cursor = await _moved(room, None)
        missed = []
        for act, do in acts.items():
            if act not in abilities:
                continue
            await later(room, _A_WHILE)
            await do()
            await _settled(room)
            moved, cursor = await _moved(room, cursor)
            if session.id not in moved:
                missed.append(act)
        assert not missed, f"the session moved, and list_changes did not name it after: {', '.join(missed)}"

    @rule("list_changes", needs=("changes",))
    async def test_changes_do_not_name_what_stood_still(self, room: Room) -> None:
        """A session to which nothing happened since the cursor is not named, nor is one that was named before."""
        first, second, cursor = await _two(room)
        await room.agent.reply(first.id, "kit-moved")
        await _settled(room)
        moved, cursor = await _moved(room, cursor)
        assert first.id in moved, "the session with a reply must be named"
        assert second.id not in moved, "nothing happened to this session since the cursor"
        again, _ = await _moved(room, cursor)
        assert not {first.id, second.id} & set(again), "nothing happened since the last read, whose cursor was given"

    @rule("list_changes", needs=("changes",))
    async def test_changes_are_of_the_sessions_asked_for(self, room: Room) -> None:
        """Where sessions are named, no other is told of."""
        first, second, cursor = await _two(room)
        await room.agent.reply(first.id, "kit-moved")
        await room.agent.reply(second.id, "kit-moved")
        await _settled(room)
        moved, _ = await _moved(room, cursor, first.id)
        assert first.id in moved, "the session that was asked for moved"
        assert set(moved) == {first.id}, "only the sessions in request.sessions are of interest"

    @rule("list_changes", needs=("changes",))
    async def test_changes_in_small_pages_name_every_session(self, room: Room) -> None:
        """Read one change at a time, as long as there is ``more``, every session that moved is named."""
        first, second, cursor = await _two(room)
        await room.agent.reply(first.id, "kit-moved")
        await room.agent.reply(second.id, "kit-moved")
        await _settled(room)
        moved, _ = await _moved(room, cursor, limit=1)
        assert {first.id, second.id} <= set(moved), (
            f"two sessions moved, and in small pages {len({first.id, second.id} & set(moved))} was named; `cursor` is "
            "where the *next* page begins, and `more` says whether there is one"
        )

    @rule("list_changes", needs=("changes",))
    async def test_changes_belong_to_the_connection(self, room: Room) -> None:
        """What is named carries the connection's key, so that two accounts never share a session (F32, R13)."""
        session = await room.session()
        async with room.connect(alias="kit-other") as other:
            await room.agent.reply(session.id, "kit-moved")
            await _settled(room)
            with promised("changes can be listed by any connection of the account"):
                page = await other.list_changes()
        keys = {ref.connection for ref in page.sessions}
        assert keys == {other.key}, f"a SessionRef names ctx.key, here {other.key!r}; it named {sorted(keys)}"

    @rule("list_changes", needs=("changes",))
    async def test_a_read_of_changes_may_wait(self, room: Room) -> None:
        """A read that may wait gives what is there already, whether or not the vendor can wait."""
        first, _, cursor = await _two(room)
        await room.agent.reply(first.id, "kit-moved")
        await _settled(room)
        with promised("`wait` is an offer: a vendor that cannot wait answers at once"):
            page = await room.connection.list_changes(cursor=cursor, wait=_PATIENCE)
        assert first.id in {ref.id for ref in page.sessions}, "what is there already is not waited for, and not lost"


async def _settled(room: Room) -> None:
    """Let the time pass in which a read may still miss what was written."""
    await later(room, room.connection.limits.settle_seconds)


async def _two(room: Room) -> tuple[HitlSession, HitlSession, str | None]:
    """Open two sessions, let time pass, and read to the end."""
    first, second = await room.session(), await room.session(user=await room.user("-second"))
    await later(room, _A_WHILE)
    _, cursor = await _moved(room, None)
    await later(room, _A_WHILE)
    return first, second, cursor


async def _moved(room: Room, cursor: str | None, *sessions: str, limit: int = 100) -> tuple[list[str], str | None]:
    """Read to the end; return the sessions named and the cursor."""
    moved: list[str] = []
    with promised("what moved in the account can be read"):
        for _ in range(_PAGES):
            page = await room.connection.list_changes(cursor=cursor, sessions=sessions, limit=limit)
            moved += [ref.id for ref in page.sessions]
            assert page.cursor is not None or cursor is None, "a cursor that was given is followed by one"
            assert not page.more or page.cursor != cursor, "there is more, and the cursor stays: read for ever"
            cursor = page.cursor
            if not page.more:
                assert cursor is not None, "changes end with a cursor, or the next read would begin at the beginning"
                return moved, cursor
    raise AssertionError(f"the changes had more than {_PAGES} pages: when does `more` become false?")
