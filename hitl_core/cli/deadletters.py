"""``hitl deadletters``: what could not be done, why, and to try it again or let it go (behaviour F21)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import click

from hitl_core.cli.aliases import is_in_use, say_nothing_found
from hitl_core.cli.database import database_option, on_database, say_who_works, tenant_option
from hitl_core.cli.output import json_option, print_json, print_table, shown
from hitl_core.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from hitl_core.bridge.store.base import Store
    from hitl_core.bridge.store.letters import Letter, Letters
    from hitl_core.bridge.store.reading import Working

__all__ = ["deadletters"]

_AT_ONCE: Final = 100

_numbers = click.argument("numbers", metavar="NUMBER...", nargs=-1, type=click.IntRange(1))


@click.group()
def deadletters() -> None:
    """See what could not be done; try it again, or let it go; beside a running server."""


@deadletters.command("list")
@click.argument("numbers", metavar="[NUMBER]...", nargs=-1, type=click.IntRange(1))
@database_option
@tenant_option
@click.option("--all", "settled", is_flag=True, help="Also those that were replayed or dropped.")
@click.option("--explain", "explained", is_flag=True, help="Say what each means and what to do about it.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@json_option
def list_(
    *, numbers: tuple[int, ...], url: str, tenant: str, settled: bool, explained: bool, limit: int, as_json: bool
) -> None:
    """List what is dead and waits for a decision, oldest first; those with a NUMBER whatever became of them."""

    async def work(store: Store) -> list[Letter]:
        from hitl_core.bridge.store.letters import Letters
        from hitl_core.bridge.store.tables import LetterState

        letters = Letters(store, tenant)
        if numbers:
            return [await _one(letters, number) for number in numbers]
        return list(await letters.list(state=None if settled else LetterState.OPEN, limit=limit))

    found = on_database(url, work)
    if as_json:
        for letter in found:
            print_json(_plain(letter))
    elif explained:
        _print_explained(found)
    else:
        print_table([_row(letter) for letter in found])
    if not found:
        click.echo("There is no dead letter.", err=True)
    elif not numbers and len(found) == limit:
        click.echo(f"These are {limit}; --limit shows more.", err=True)


async def _one(letters: Letters, number: int) -> Letter:
    letter = await letters.get(number)
    if letter is None:
        msg = f"there is no dead letter {number}; see: hitl deadletters list --all"
        raise ConfigurationError(msg)
    return letter


def _row(letter: Letter) -> dict[str, object]:
    return {
        "number": letter.position,
        "at": letter.at,
        "what": f"{letter.source} {letter.kind}",
        "failure": letter.failure,
        "state": letter.state.name.lower(),
        "connection": (letter.connection or "").partition("/")[2],
        "conversation": letter.conversation_id,
        "hand-off": letter.handoff_id,
        "detail": letter.detail,
    }


def _plain(letter: Letter) -> dict[str, Any]:
    from hitl_core.bridge.store.letters import explain

    return {
        "number": letter.position,
        "at": letter.at,
        "source": letter.source,
        "kind": letter.kind,
        "key": letter.key,
        "failure": letter.failure,
        "detail": letter.detail,
        "state": letter.state.name.lower(),
        "settled_at": letter.settled_at,
        "connection": letter.connection,
        "conversation_id": letter.conversation_id,
        "handoff_id": letter.handoff_id,
        "explanation": explain(letter),
    }


def _print_explained(found: list[Letter]) -> None:
    from hitl_core.bridge.store.letters import explain

    for letter in found:
        click.echo(f"{letter.position}  {shown(explain(letter))}")


@deadletters.command()
@_numbers
@database_option
@tenant_option
@click.option("--all", "every", is_flag=True, help="All that wait for a decision.")
@click.option("--connection", help="With --all: only those of this connection, by its alias.")
def replay(*, numbers: tuple[int, ...], url: str, tenant: str, every: bool, connection: str | None) -> int:
    """Have dead letters tried again, by their NUMBER; what may have happened is looked up first.

    Prints the numbers of those that are tried again; the server does it.
    """
    if every == bool(numbers) or (connection is not None and not every):
        msg = "give the numbers of dead letters, or --all, which --connection narrows down"
        raise click.UsageError(msg)
    key = None if connection is None else f"{tenant}/{connection}"

    async def work(store: Store) -> tuple[int, int, Working, bool]:
        from hitl_core.bridge.store.letters import Letters
        from hitl_core.bridge.store.reading import working

        letters = Letters(store, tenant)
        settled, failed = await _each(await _open_ones(letters, key) if every else list(numbers), letters.replay)
        async with store.read() as conn:
            in_use = bool(settled or failed) or await is_in_use(conn, tenant, connection)
            return settled, failed, await working(store, conn), in_use

    settled, failed, who, in_use = on_database(url, work)
    if not settled and not failed:
        say_nothing_found("There is no dead letter.", tenant, connection, in_use=in_use)
    if settled:
        say_who_works(who, "what is replayed is tried as soon as one runs.")
    return 1 if failed else 0


async def _open_ones(letters: Letters, connection: str | None) -> list[int]:
    found: list[int] = []
    after = 0
    while some := await letters.list(after=after, limit=_AT_ONCE):
        found += [letter.position for letter in some if connection is None or letter.connection == connection]
        after = some[-1].position
    return found


@deadletters.command()
@_numbers
@database_option
@tenant_option
def drop(*, numbers: tuple[int, ...], url: str, tenant: str) -> int:
    """Let dead letters go for good, by their NUMBER; prints the numbers of those that were dropped."""
    if not numbers:
        msg = "give the numbers of dead letters; see: hitl deadletters list"
        raise click.UsageError(msg)

    async def work(store: Store) -> int:
        from hitl_core.bridge.store.letters import Letters

        _, failed = await _each(list(numbers), Letters(store, tenant).drop)
        return failed

    return 1 if on_database(url, work) else 0


async def _each(numbers: list[int], settle: Callable[[int], Awaitable[Letter]]) -> tuple[int, int]:
    """Settle one after the other; what cannot be settled is told and costs the others nothing.

    :returns: how many were settled, and how many could not be.
    """
    settled = failed = 0
    for number in dict.fromkeys(numbers):
        try:
            await settle(number)
        except StoreError as error:
            if error.__cause__ is not None:  # the database itself: the others would fare no better
                raise
            click.echo(f"Error: {error}", err=True)
            failed += 1
        else:
            click.echo(number)
            settled += 1
    return settled, failed
