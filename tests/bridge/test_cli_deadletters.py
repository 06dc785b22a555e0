"""`hitl deadletters`: what could not be done is listed, explained, tried again or let go (behaviour F21)."""

import asyncio
import json
import shlex
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from hitl_core.bridge.handoff.inputs import StopRequested
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.inbox import input_row
from hitl_core.bridge.store.letters import Letters
from hitl_core.bridge.store.tables import InputState, inputs
from hitl_core.cli import run

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


async def fill(store, *, inputs_of="default"):
    """Three dead inputs of the bridge's own commands, with a letter each; another tenant's; one about nothing."""
    letters, others = Letters(store, inputs_of), Letters(store, "acme")
    async with store.write() as conn:
        for number in range(3):
            row = input_row(inputs_of, f"c-{number}", f"command:{number}", StopRequested(), NOON)
            dead = {"state": InputState.DEAD.value, "outcome": "dead letter", "done_at": NOON}
            position = (await conn.execute(inputs.insert(), row | dead)).inserted_primary_key[0]
            await letters.add(
                conn,
                source="input",
                source_position=position,
                key=f"command:{number}",
                kind="stop_requested",
                failure="refused",
                detail="deciding raised KeyError",
                at=NOON + timedelta(minutes=number),
                conversation_id=f"c-{number}",
                handoff_id=f"h-{number}",
                connection="default/desk" if number else "default/other",
            )
        facts = {"source_position": 0, "key": "x", "failure": "unresolved", "at": NOON}
        await others.add(conn, source="input", kind="user_message", detail="", **facts)
        await letters.add(conn, source="decision", kind="effect_done", detail="\x1b[2Jboo", **facts)


async def states(store):
    async with store.read() as conn:
        rows = await conn.execute(sa.select(inputs.c.state).order_by(inputs.c.position))
        return [InputState(state).name for state in rows.scalars()]


@pytest.fixture
def on(database_url):
    """Do something with the database."""

    def call(work):
        async def go():
            async with Store(database_url) as store:
                return await work(store)

        return asyncio.run(go())

    return call


@pytest.fixture
def hitl(database_url, on, capsys):
    """Run `hitl` on a filled database; give code, stdout and stderr."""
    on(fill)

    def call(command):
        code = run([*shlex.split(command), "--db", database_url])
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


def test_f21_list_shows_what_waits_for_a_decision_oldest_first(hitl):
    code, out, err = hitl("deadletters list")
    assert (code, err) == (0, "")
    heads, *rows = out.splitlines()
    names = ["NUMBER", "AT", "WHAT", "FAILURE", "STATE", "CONNECTION", "CONVERSATION", "HAND-OFF", "DETAIL"]
    assert heads.split() == names
    assert rows[0].split() == [
        "1", "2026-03-01T12:00:00Z", "input", "stop_requested", "refused", "open", "other", "c-0", "h-0",
        "deciding", "raised", "KeyError",
    ]  # fmt: skip
    assert [row.split()[0] for row in rows] == ["1", "2", "3", "5"], "the fourth is another tenant's"
    assert "\x1b" not in out


def test_f21_list_explains_what_each_means_and_what_to_do(hitl):
    _, out, _ = hitl("deadletters list --explain")
    assert out.startswith("1  Ending the hand-off came to nothing: ")
    assert "Next: upgrade hitl-core" in out
    assert len(out.splitlines()) == 4
    _, out, _ = hitl("deadletters list 2 --json")
    letter = json.loads(out)
    assert (letter["number"], letter["state"], letter["conversation_id"]) == (2, "open", "c-1")
    assert letter["explanation"].startswith("Ending the hand-off came to nothing")


def test_list_is_bounded_and_says_so(hitl):
    _, out, err = hitl("deadletters list --limit 2")
    assert len(out.splitlines()) == 3
    assert "These are 2; --limit shows more." in err
    assert hitl("deadletters list --tenant nobody") == (0, "", "There is no dead letter.\n")
    code, _, err = hitl("deadletters list 4")
    assert code == 2
    assert "there is no dead letter 4; see: hitl deadletters list --all" in err


def test_f21_replay_has_it_tried_again_by_whoever_runs(hitl, on):
    code, out, err = hitl("deadletters replay 2")
    assert (code, out) == (0, "2\n")
    assert err == "No server works on this database now; what is replayed is tried as soon as one runs.\n"
    assert on(states) == ["DEAD", "OPEN", "DEAD"]
    assert "2  " not in hitl("deadletters list --explain")[1]
    assert "replayed" in hitl("deadletters list --all")[1]
    assert json.loads(hitl("deadletters list 2 --json")[1])["state"] == "replayed"


def test_replay_goes_on_past_one_that_cannot_be_and_says_so(hitl, on):
    code, out, err = hitl("deadletters replay 5 99 4 3 3 1")
    assert (code, out) == (1, "3\n1\n")
    assert "dead letter 5 cannot be replayed" in err
    assert "there is no dead letter 99" in err
    assert "there is no dead letter 4" in err
    assert on(states) == ["OPEN", "DEAD", "OPEN"]
    code, _, err = hitl("deadletters replay 3")
    assert code == 1
    assert "dead letter 3 was replayed already" in err


@pytest.mark.parametrize("command", ["replay 99", "replay 5", "replay 99 4", "drop 99"])
def test_who_would_replay_is_told_only_when_something_is_replayed(hitl, command):
    code, out, err = hitl(f"deadletters {command}")
    assert (code, out) == (1, "")
    assert "No server" not in err
    assert len(err.splitlines()) == len(command.split()) - 1


def test_replay_all_of_a_connection_nobody_knows_says_so(hitl):
    code, out, err = hitl("deadletters replay --all --connection dsek")
    assert (code, out) == (0, "")
    assert "No hand-off was ever on a connection 'dsek' of tenant 'default'" in err
    assert len(err.splitlines()) == 1


def test_replay_all_of_a_connection_once_it_is_mended(hitl, on):
    code, out, _ = hitl("deadletters replay --all --connection desk")
    assert (code, out) == (0, "2\n3\n")
    assert on(states) == ["DEAD", "OPEN", "OPEN"]
    code, out, _ = hitl("deadletters replay --all")
    assert (code, out) == (1, "1\n"), "one is about nothing and can only be dropped"
    assert hitl("deadletters drop 5")[0] == 0
    code, out, err = hitl("deadletters replay --all")
    assert (code, out) == (0, "")
    assert "There is no dead letter." in err


def test_f21_drop_lets_it_go_and_changes_nothing_else(hitl, on):
    assert hitl("deadletters drop 1 2") == (0, "1\n2\n", "")
    assert on(states) == ["DEAD", "DEAD", "DEAD"]
    code, out, err = hitl("deadletters drop 1 3")
    assert (code, out) == (1, "3\n")
    assert "dead letter 1 was dropped already" in err
    assert hitl("deadletters replay 1")[0] == 1


@pytest.mark.parametrize(
    "command",
    [
        "drop",
        "replay",
        "replay 1 --all",
        "replay 1 --connection desk",
        "replay --connection desk",
        "replay 0",
        "drop x",
    ],
)
def test_what_is_not_said_clearly_is_not_done(hitl, on, command):
    code, out, err = hitl(f"deadletters {command}")
    assert (code, out) == (2, "")
    assert "Usage:" in err
    assert on(states) == ["DEAD", "DEAD", "DEAD"]


def test_a_database_that_is_lost_meanwhile_is_told_once(hitl, on):
    async def lose(store):
        async with store.write() as conn:
            await conn.execute(sa.text("DROP TABLE hitl_dead_letters"))

    on(lose)
    code, out, err = hitl("deadletters drop 1 2 3")
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
