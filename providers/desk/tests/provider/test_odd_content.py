"""Odd or oversized content reaches the desk's agents as far as the desk takes it, and never stops a hand-off."""

import json

import httpx
import pytest
from hitl_desk.refusals import classify

import hitl_core as hitl
from hitl_core.bridge import Bridge
from hitl_core.http import HttpResponse

pytestmark = pytest.mark.anyio


def said(message):
    return hitl.HistoryEntry.of(hitl.Author.user(name="Grace"), message)


async def handed_over(connection, room, history, **more):
    """Return what agents see of a history."""
    user = await connection.create_user(external_id="u1")
    session = await connection.start_hitl(user=user, title="T", history=history, **more)
    return (await room.agent.see(session.id))["transcript"]


@pytest.mark.parametrize("relay", ["transcript", "messages", "note", "attachment"])
async def test_an_entry_over_the_desks_limit_arrives_whole_in_parts(connection, room, relay):
    seen = await handed_over(connection, room, [said("word " * 20_000), said("end")], relay=relay)
    assert " ".join(entry["message"]["text"] for entry in seen).split() == [*["word"] * 20_000, "end"]
    assert {entry["author"]["role"] for entry in seen} == {"customer"}


async def test_the_oldest_of_too_many_entries_are_left_out_with_a_line(connection, room):
    history = [said(f"message {number}") for number in range(5000)]
    line, *seen = await handed_over(connection, room, history)
    assert line["message"]["text"] == "[ Earlier messages not shown: 3001 ]"
    assert line["author"]["role"] == "system"
    assert [entry["message"]["text"] for entry in seen] == [f"message {number}" for number in range(3001, 5000)]


async def test_as_many_entries_as_the_desk_takes_all_arrive(connection, room):
    seen = await handed_over(connection, room, [said(f"message {number}") for number in range(2000)])
    assert [entry["message"]["text"] for entry in seen] == [f"message {number}" for number in range(2000)]


async def test_a_summary_stays_when_entries_are_left_out(connection, room):
    history = [said(f"message {number}") for number in range(2000)]
    summary, line, *seen = await handed_over(connection, room, history, relay="summary(Wants a refund)")
    assert summary["message"]["text"] == "Wants a refund"
    assert line["message"]["text"] == "[ Earlier messages not shown: 2 ]"
    assert [entry["message"]["text"] for entry in seen] == [f"message {number}" for number in range(2, 2000)]


async def test_a_history_too_large_for_one_request_arrives_with_its_newest_part(connection, room):
    history = [said("\N{SNOWMAN}\\" * 30_000) for _ in range(60)] + [said("end")]
    line, *seen = await handed_over(connection, room, history, description="\N{GRINNING FACE}" * 65_000)
    assert "not shown" in line["message"]["text"]
    assert seen[-1]["message"]["text"] == "end"
    assert len(seen) > 10


@pytest.mark.parametrize(
    "message",
    [
        hitl.Text(text="a\0b"),
        hitl.Image(url="data:image/png;base64," + "A" * 70_000, title="lamp"),
        hitl.Card(title="c" * 70_000),
        hitl.parse_message({"type": "dance", "text": "\0", "steps": 2**70}),
        hitl.parse_message({"type": "dance", "steps": json.loads("[" * 70 + "]" * 70)}),
    ],
    ids=["NUL", "picture in its address", "long card", "large number", "deep"],
)
async def test_an_odd_entry_does_not_stop_a_hand_off(connection, room, message):
    odd, end = await handed_over(connection, room, [said(message), said("end")])
    assert odd["message"]["type"] in {"text", "card"}
    assert end["message"]["text"] == "end"


async def test_a_null_character_anywhere_does_not_stop_a_hand_off(connection, room):
    user = await connection.create_user(external_id="u1", name="Gra\0ce")
    options = {"reason": "r\0", "tags": ["t\0"], "metadata": {"k\0": "v\0"}}
    session = await connection.start_hitl(user=user, title="Re\0fund", description="De\0tail", options=options)
    await connection.send_message(session, "Hel\0lo", author=hitl.Author.user(name="Gra\0ce"))
    await connection.stop_hitl(session, message="By\0e")
    seen = await room.agent.see(session.id)
    assert (seen["ticket"]["title"], seen["ticket"]["description"]) == ("Refund", "Detail")
    assert [message["message"]["text"] for message in seen["messages"] if message["message"]][:1] == ["Hello"]
    assert seen["customer"]["name"] == "Grace"


async def test_a_customers_details_are_cut_to_what_the_desk_takes_or_left_out(connection, room):
    user = await connection.create_user(
        hitl.EndUser(
            external_id="u1",
            name="n" * 256,
            email="e" * 320 + "@example.com",
            phone="1" * 100,
            avatar_url="https://files.test/" + "x" * 9000,
            locale="de-CH-" + "x" * 40,
            data={"large": "x" * 1_000_000, "plan": "gold", "huge": 2**70, "odd": float("nan"), "nul": "a\0"},
        )
    )
    session = await connection.start_hitl(user=user, title="T")
    customer = (await room.agent.see(session.id))["customer"]
    assert customer["name"] == "n" * 254 + "…"
    assert (customer.get("email"), customer.get("phone"), customer.get("avatar_url")) == (None, None, None)
    assert customer["locale"] == "de-CH"
    assert customer["data"] == {"plan": "gold", "nul": "a"}


async def test_data_is_kept_up_to_the_last_character_the_desk_takes(connection, room):
    entry = {f"{number:06}": "x" * 54 for number in range(2000)}  # 68 characters each, with what surrounds them
    user = await connection.create_user(hitl.EndUser(external_id="u1", data=entry))
    session = await connection.start_hitl(user=user, title="T")
    data = (await room.agent.see(session.id))["customer"]["data"]
    assert len(data) == 65_536 // len(json.dumps({"000000": "x" * 54}))


async def test_a_speakers_long_name_is_cut(connection, room, session):
    await connection.send_message(session, "Hello", author=hitl.Author.user(name="n" * 300))
    (message,) = (await room.agent.see(session.id))["messages"]
    assert message["author"]["name"] == "n" * 254 + "…"


async def test_a_refusal_names_the_fields_the_desk_names(connection):
    user = await connection.create_user(external_id="u1")
    with pytest.raises(hitl.InvalidRequestError, match=r"does not accept tags\.1; check") as caught:
        await connection.start_hitl(user=user, title="T", options={"tags": ["fine", "private words " * 10]})
    assert "private" not in str(caught.value)


def refusal(*locations):
    errors = [{"location": location, "message": "her words"} for location in locations]
    return classify(
        HttpResponse(422, httpx.Headers(), json.dumps({"code": "invalid_request", "errors": errors}).encode())
    )


def test_a_refusal_quotes_nothing_but_the_protocols_own_words():
    assert refusal("body.metadata.my secret", "body.title").message == (
        "the desk does not accept metadata, title; check what this call puts there"
    )
    assert refusal("body", "somewhere else").message is None
    assert "and 2 more" in refusal("body.title", "body.tags", "body.reason", "body.priority", "body.message").message


@pytest.mark.parametrize("errors", [None, 5, "x", [5], [{}], {"a": 1}])
def test_a_refusal_in_another_form_is_read_without_fields(errors):
    response = HttpResponse(422, httpx.Headers(), json.dumps({"code": "other", "errors": errors}).encode())
    assert classify(response).message is None


class Host:
    """Keeps what the customer is told."""

    def __init__(self):
        self.told = []

    async def send(self, conversation_id, message, sender, *, key):
        self.told.append(message)

    async def resume(self, conversation_id, hand_back, *, key):
        pass

    async def notify(self, event, *, key):
        pass


async def test_a_bridge_hands_over_whatever_was_said_before(connection, room, tmp_path):
    user = hitl.EndUser(external_id="u1", name="Gra\0ce" * 100, phone="1" * 100, data={"notes": "x" * 1_000_000})
    history = [said("x" * 65_537), *(said(f"message {number}") for number in range(5000)), said("\0")]
    async with Bridge(connection, Host(), f"sqlite:///{tmp_path / 'bridge.db'}", drive=False) as bridge:
        started = await bridge.start_hitl("c1", user, "Re\0fund", history=history)
        assert started.status == "started"
        assert (await bridge.handle_user_message("c1", "Hel\0lo", message_id="m1")).silence
        await bridge.settle()
    seen = await room.agent.see(started.session.id)
    assert [message["message"]["text"] for message in seen["messages"]] == ["Hello"]
    assert seen["transcript"][-2]["message"]["text"] == "message 4999"
    assert seen["customer"]["name"].endswith("…")
