"""The example extension keeps card numbers away from the helpdesk."""

import importlib.util
from pathlib import Path

import pytest

import hitl_core as hitl
from hitl_core.connect import connect_class
from hitl_core.testing.memory import MemoryHelpdesk, MemoryProvider

SOURCE = Path(__file__).parents[1] / "examples" / "redact_cards.py"
CARD = "4111 1111-1111 1111"


@pytest.fixture
def example():
    spec = importlib.util.spec_from_file_location("redact_cards", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.anyio
async def test_card_numbers_reach_neither_messages_nor_history(example):
    helpdesk = MemoryHelpdesk()
    async with connect_class(MemoryProvider, helpdesk=helpdesk, extensions=[example.RedactCards()]) as connection:
        user = await connection.create_user(external_id="u1")
        history = [hitl.HistoryEntry.of(hitl.Author.user(user), f"My card is {CARD}")]
        session = await connection.start_hitl(user=user, title=f"Paid with {CARD}", description=CARD, history=history)
        await connection.send_message(session, f"I said {CARD}!")
        await connection.send_message(session, hitl.Bloc(items=(hitl.Text(text=CARD),)))
        await connection.stop_hitl(session, message=CARD)
    ticket = helpdesk.tickets[session.id]
    everything = ticket.start.model_dump_json() + "".join(sent.model_dump_json() for sent in ticket.sent)
    assert "1111 1111" not in everything
    assert everything.count("[card ending in 1111]") >= 5
    assert "I said [card ending in 1111]!" in everything


@pytest.mark.parametrize("text", ["order 4111111111111112", "call 0041 44 123 45 67", "2026-11-21 08:30:00", "12345"])
def test_other_numbers_are_left_alone(example, text):
    assert example.redact(text) == text


@pytest.mark.parametrize("card", ["378282246310005", "6011 1111 1111 1117", "5555-5555-5555-4444"])
def test_cards_of_other_lengths_are_hidden_too(example, card):
    assert example.redact(f"({card})") == f"([card ending in {card[-4:]}])"


def test_the_example_has_thirty_lines_of_code_at_most():
    lines = [
        line for line in SOURCE.read_text().splitlines() if line.strip() and not line.strip().startswith(('"""', "#"))
    ]
    assert len(lines) <= 30
