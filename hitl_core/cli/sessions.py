"""``hitl sessions``: which conversations are with a human, what happened to them, and how to end one."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click

from hitl_core.cli.aliases import is_in_use, say_nothing_found
from hitl_core.cli.database import database_option, on_database, say_who_works, tenant_option
from hitl_core.cli.output import json_option, moment, print_json, print_table, shown
from hitl_core.errors import ConfigurationError
from hitl_core.events import StopReason

if TYPE_CHECKING:
    from datetime import datetime

    from hitl_core.bridge.store.base import Store
    from hitl_core.bridge.store.reading import HandoffFacts, Happening, Source

__all__ = ["sessions"]

_LOOK_EVERY: Final = 1.0  # seconds, of a tail
_ASK_EVERY: Final = 0.1  # seconds, for an answer
_MOST: Final = 1_000

_handoff = click.argument("name", metavar="ID")


@click.group()
def sessions() -> None:
    """See the hand-offs of a bridge, and end one; beside a running server.

    Customers' words are shown only where you ask for them.
    """


@sessions.command("list")
@database_option
@tenant_option
@click.option("--all", "ended", is_flag=True, help="Also those that have ended, the latest first.")
@click.option("--connection", help="Only those on this connection, by its alias.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@json_option
def list_(*, url: str, tenant: str, ended: bool, connection: str | None, limit: int, as_json: bool) -> None:
    """List the hand-offs that are open, the newest first."""

    async def work(store: Store) -> tuple[list[HandoffFacts], bool]:
        from hitl_core.bridge.store.reading import list_handoffs

        key = None if connection is None else f"{tenant}/{connection}"
        async with store.read() as conn:
            found = await list_handoffs(conn, tenant, ended=ended, connection=key, limit=limit)
            return found, bool(found) or await is_in_use(conn, tenant, connection)

    found, in_use = on_database(url, work)
    if as_json:
        for facts in found:
            print_json(_plain(facts))
    else:
        print_table([_row(facts, ended) for facts in found])
    if not found:
        nothing = "No hand-off is open." if not ended else "There is no hand-off yet."
        say_nothing_found(nothing, tenant, connection, in_use=in_use)
    elif len(found) == limit:
        click.echo(f"These are {limit}; --limit shows more.", err=True)


def _row(facts: HandoffFacts, ended: bool) -> dict[str, object]:
    row: dict[str, object] = {
        "id": facts.id,
        "conversation": facts.conversation_id,
        "connection": facts.connection.partition("/")[2],
        "ticket": facts.session_id,
        "phase": facts.phase,
        "owner": facts.owner,
        "agent": facts.agent_id,
        "started": facts.started_at,
    }
    return row | ({"ended": facts.ended_at, "reason": facts.end_reason} if ended else {})


@sessions.command()
@_handoff
@database_option
@tenant_option
@click.option("--transcript", is_flag=True, help="Also what was said, in the customer's and the agents' words.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON.")
def show(*, name: str, url: str, tenant: str, transcript: bool, as_json: bool) -> None:
    """Show a hand-off and what happened in it.

    ID is that of the hand-off, or of the conversation: then it is its latest.
    """

    async def work(store: Store) -> tuple[HandoffFacts, list[Happening]]:
        from hitl_core.bridge.store.reading import happenings

        facts = await _found(store, tenant, name)
        async with store.read() as conn:
            return facts, await happenings(conn, tenant, handoff_id=facts.id, limit=_MOST, words=transcript)

    facts, happened = on_database(url, work)
    if as_json:
        print_json({**_plain(facts), "happenings": [_plain(one, words=transcript) for one in happened]})
        return
    _print_facts(facts)
    click.echo()
    print_table([_happening_row(one) for one in happened])
    if len(happened) == _MOST:
        click.echo(f"These are the last {_MOST}.", err=True)
    if transcript:
        click.echo()
        for at, one in _as_seen(facts, happened):
            _print_words(one, at)


def _print_facts(facts: HandoffFacts) -> None:
    rows = {
        "hand-off": facts.id,
        "conversation": facts.conversation_id,
        "connection": facts.connection,
        "ticket": facts.session_id,
        "page": facts.url,
        "phase": facts.phase,
        "owner": facts.owner,
        "agent": facts.agent_id,
        "started": facts.started_at,
        "ended": facts.ended_at,
        "reason": facts.end_reason,
        "failed": facts.failed,
        **{f"{timer} due": due for timer, due in sorted(facts.timers.items())},
    }
    width = max(map(len, rows))
    for label, value in rows.items():
        if value is not None:
            click.echo(f"{label.ljust(width)}  {shown(value)}")


def _happening_row(one: Happening) -> dict[str, object]:
    return {
        "at": one.at,
        "what": one.kind if one.about is None else f"{one.kind} {one.about}",
        "state": one.state if one.attempts < 2 else f"{one.state}, {one.attempts} tries",
        "settled": one.settled_at,
        "told": one.told,
        "key": one.key,
    }


def _as_seen(facts: HandoffFacts, happened: list[Happening]) -> list[tuple[datetime, Happening]]:
    """Return what was said and when, in the order the customer saw it; what they have yet to see comes last.

    An agent's words are taken in before the customer is told that this agent has joined: they count from when they
    were passed on.
    """
    from hitl_core.bridge.handoff.effects import effect_key

    passed_on = {one.key: one for one in happened if one.kind == "tell_customer"}

    def showing(one: Happening) -> Happening:
        event_id = one.key.removeprefix(f"event:{facts.connection}:")
        return passed_on.get(effect_key(facts.id, "agent", event_id), one) if one.speaker == "agent" else one

    def when(shows: Happening) -> datetime:
        return (shows.settled_at or shows.at) if shows.source == "effect" else shows.at

    said = [(showing(one), one) for one in happened if one.words is not None]
    said.sort(
        key=lambda pair: (
            pair[0].source == "effect" and pair[0].settled_at is None,
            when(pair[0]),
            pair[0].source == "effect",
            pair[0].position,
        )
    )
    return [(when(shows), one) for shows, one in said]


def _print_words(one: Happening, at: datetime) -> None:
    if one.words is not None:
        for line in one.words.splitlines() or [""]:
            click.echo(f"{moment(at)}  {one.speaker}: {shown(line)}")


def _plain(value: Any, *, words: bool = True) -> dict[str, Any]:
    facts = asdict(value)
    if not words:
        facts.pop("words", None)
    return facts


@sessions.command()
@click.argument("name", metavar="[ID]", required=False)
@database_option
@tenant_option
@click.option("-n", "--lines", type=click.IntRange(0, _MOST), default=20, show_default=True, help="Begin so far back.")
@click.option("-f", "--follow", is_flag=True, help="Go on as more happens, until Ctrl-C.")
@click.option("--words", is_flag=True, help="Also what is said, in the customer's and the agents' words.")
@json_option
def tail(*, name: str | None, url: str, tenant: str, lines: int, follow: bool, words: bool, as_json: bool) -> None:
    """Show what happened last; in one conversation with ID, that of a hand-off or of the conversation.

    With --follow, something that was open appears again when it is settled.
    """

    async def work(store: Store) -> None:
        await print_tail(store, tenant, name, lines=lines, follow=follow, words=words, as_json=as_json)

    with suppress(KeyboardInterrupt):  # it is how following ends
        on_database(url, work)


async def print_tail(
    store: Store, tenant: str, name: str | None, *, lines: int, follow: bool, words: bool, as_json: bool
) -> None:
    """Print what happened last, and with ``follow`` what happens, by the store's clock, until it is cancelled."""
    from hitl_core.bridge.store.reading import happenings

    of_what: dict[str, str] = {}
    if name is not None:
        facts = await _found(store, tenant, name)
        of_what = {"handoff_id": name} if facts.id == name else {"conversation_id": name}
    changes = _Changes(lines)
    while True:
        async with store.read() as conn:
            happened = await happenings(conn, tenant, limit=_MOST, words=words, **of_what)
        for one in changes.of(happened):
            _print_happening(one, words=words, as_json=as_json)
        if not follow:
            return
        await store.clock.sleep(_LOOK_EVERY)


class _Changes:
    """What is different from the last look.

    :param lines: how much of what is found at the first look.
    """

    def __init__(self, lines: int) -> None:
        self._lines: int | None = lines
        self._states: dict[tuple[Source, int], str] = {}

    def of(self, happened: list[Happening]) -> list[Happening]:
        """Return what is new, or in another state than before."""
        new = [one for one in happened if self._states.get((one.source, one.position)) != one.state]
        self._states = {(one.source, one.position): one.state for one in happened}
        lines, self._lines = self._lines, None
        return new if lines is None else new[max(0, len(new) - lines) :]


def _print_happening(one: Happening, *, words: bool, as_json: bool) -> None:
    if as_json:
        print_json(_plain(one, words=words))
        return
    about = f" {one.about}" if one.about is not None else ""
    told = f": {one.told}" if one.told else ""
    at = one.settled_at or one.at
    click.echo(shown(f"{moment(at)}  {one.conversation_id}  {one.kind}{about}  {one.state}{told}"))
    _print_words(one, one.at)


@sessions.command()
@_handoff
@database_option
@tenant_option
@click.option(
    "--reason",
    type=click.Choice([reason.value for reason in StopReason if reason is not StopReason.UNKNOWN]),
    default=StopReason.BOT_RESOLVED.value,
    show_default=True,
    help="What the helpdesk is told.",
)
@click.option("--keep-open", is_flag=True, help="Leave the ticket open; only the bot takes over.")
@click.option(
    "--wait", type=click.FloatRange(0), default=10.0, show_default=True, help="Seconds to wait until it is done."
)
def end(*, name: str, url: str, tenant: str, reason: str, keep_open: bool, wait: float) -> int:
    """End a hand-off: the customer is told, and the bot goes on.

    ID is that of the hand-off, or of the conversation. The server does it; without one it is done when one runs.
    """

    async def work(store: Store) -> bool:
        return await end_handoff(store, tenant, name, StopReason(reason), close=not keep_open, wait=wait)

    return 0 if on_database(url, work) else 1


async def end_handoff(store: Store, tenant: str, name: str, reason: StopReason, *, close: bool, wait: float) -> bool:
    """Ask for a hand-off to be ended, and say on stderr what came of it.

    :param wait: seconds, by the store's clock.
    :returns: whether it has ended.
    """
    from hitl_core.bridge.handoff.inputs import StopRequested
    from hitl_core.bridge.store.inbox import Inbox
    from hitl_core.bridge.store.reading import input_outcome, working

    facts = await _found(store, tenant, name)
    if not facts.open:
        click.echo(
            f"It has ended already: {facts.end_reason}, at {moment(facts.ended_at or facts.started_at)}.", err=True
        )
        return True
    key = f"command:{uuid.uuid4().hex}"
    stop = StopRequested(reason=reason, close=close, tell=True, flow=True)
    await Inbox(store, tenant).accept(facts.conversation_id, key, stop)
    until = store.clock.monotonic() + wait
    while True:
        async with store.read() as conn:
            outcome = await input_outcome(conn, tenant, key)
        if outcome is not None or store.clock.monotonic() >= until:
            break
        await store.clock.sleep(_ASK_EVERY)
    if outcome is None:
        async with store.read() as conn:
            who = await working(store, conn)
        say_who_works(who, "it is ended as soon as one runs.")
        if who.alive:
            click.echo(f"It was not ended within {wait:g} s; the server has it on its list.", err=True)
        return False
    after = await _found(store, tenant, facts.id)
    if after.open:
        click.echo(f"It goes on: {outcome or 'no reason was given'}.", err=True)
        return False
    click.echo(f"It has ended: {after.end_reason}.", err=True)
    return True


async def _found(store: Store, tenant: str, name: str) -> HandoffFacts:
    """Return the hand-off that is meant.

    :raises ConfigurationError: there is none.
    """
    from hitl_core.bridge.store.reading import get_handoff

    async with store.read() as conn:
        facts = await get_handoff(conn, tenant, name)
    if facts is None:
        msg = f"no hand-off and no conversation {shown(name)!r} in tenant {tenant!r}; see: hitl sessions list --all"
        raise ConfigurationError(msg)
    return facts
