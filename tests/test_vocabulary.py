"""The vocabulary: payload rules, JSON round trip, tolerance, discretion."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from hitl_core import events, messages
from hitl_core.info import TextLimit
from hitl_core.people import Agent, Author, EndUser, ExternalUser
from hitl_core.sessions import HistoryEntry, HitlSession, RelayItem, SessionRef

SESSION = SessionRef(connection="default/desk", id="t1")
SECRET = "4111 1111 1111 1111"

EXAMPLES = [
    {"type": "text", "text": SECRET},
    {"type": "markdown", "markdown": f"**{SECRET}**"},
    {"type": "image", "url": f"https://files.test/{SECRET}.png", "title": SECRET, "name": SECRET},
    {"type": "audio", "url": "https://files.test/a.ogg"},
    {"type": "video", "ref": {"id": "att_1"}},
    {"type": "file", "url": "https://files.test/a.pdf", "size": 10, "content_type": "application/pdf"},
    {"type": "location", "latitude": 47.5, "longitude": -8.25, "address": SECRET},
    {"type": "card", "title": SECRET, "actions": [{"kind": "url", "label": SECRET, "value": "https://a.test"}]},
    {"type": "carousel", "items": [{"title": SECRET}]},
    {"type": "choice", "text": SECRET, "options": [{"label": SECRET, "value": "1"}]},
    {"type": "dropdown", "text": SECRET, "options": [{"label": "a", "value": SECRET}]},
    {"type": "bloc", "items": [{"type": "text", "text": SECRET}, {"type": "image", "url": "https://a.test/b.png"}]},
]


def test_s014_there_are_exactly_the_twelve_message_types():
    assert [example["type"] for example in EXAMPLES] == list(messages.MESSAGE_TYPES)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["type"])
def test_every_message_type_survives_json(example):
    message = messages.parse_message(example)
    assert message.type == example["type"]
    assert messages.parse_message(json.loads(message.model_dump_json())) == message


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["type"])
def test_no_message_shows_peoples_words(example):
    message = messages.parse_message(example)
    event = events.AgentMessage(
        event_id="1",
        session=SESSION,
        message_id="1",
        message=message,
        raw={"body": SECRET},
        agent=Agent(id="a", name=SECRET),
    )
    for shown in (repr(message), str(message), repr(event), str(event)):
        assert SECRET not in shown


def test_people_and_history_do_not_show_who_they_are():
    parts = [
        EndUser(external_id="u1", name=SECRET, email=SECRET, phone=SECRET),
        ExternalUser(id="1", name=SECRET),
        Author.user(name=SECRET),
        HistoryEntry.of(Author.user(name=SECRET), SECRET),
        RelayItem(text=SECRET, source=(HistoryEntry.of(Author.bot(), SECRET),)),
        HitlSession(ref=SESSION, provider="desk", data={"note": SECRET}),
    ]
    assert not [part for part in parts if SECRET in repr(part)]


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "text", "text": ""},
        {"type": "text"},
        {"type": "text", "text": "a\ud800"},
        {"type": "image"},
        {"type": "image", "url": ""},
        {"type": "file", "url": "https://a.test", "title": ""},
        {"type": "location", "latitude": "north", "longitude": 1},
        {"type": "location", "latitude": 91, "longitude": 1},
        {"type": "choice", "text": "?", "options": []},
        {"type": "choice", "text": "?", "options": [{"label": "a"}]},
        {"type": "card", "title": ""},
        {"type": "card", "title": "a", "actions": [{"kind": "explode", "label": "a", "value": "b"}]},
        {"type": "carousel", "items": []},
        {"type": "bloc", "items": []},
        {"type": "bloc", "items": [{"type": "card", "title": "a"}]},
        {"type": "text", "text": "a", "additional_data": "x" * 501},
    ],
)
def test_s020_to_s023_payload_rules_are_enforced_without_quoting_the_payload(payload):
    with pytest.raises(ValidationError) as caught:
        messages.parse_message(payload | {"title": payload.get("title", SECRET)})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("url", ["notaurl", "/uploads/lamp.png", "mxc://chat.test/abc", "cid:lamp@mail.test"])
def test_s023_a_files_url_is_of_any_kind_so_that_no_event_is_lost_over_it(url):
    """Helpdesks, channels and older rows have addresses of their own; agents and customers see them as they are."""
    image = {"type": "image", "url": url}
    event = {"kind": "agent_message", "event_id": "1", "session": SESSION, "message_id": "m", "message": image}
    assert events.parse_event(event).message == messages.Image(url=url)


def test_s021_additional_data_may_have_500_characters():
    assert messages.parse_message({"type": "text", "text": "a", "additional_data": "x" * 500}).additional_data


def test_a_message_type_of_the_future_is_kept_whole_and_shown_by_type_only():
    message = messages.parse_message({"type": "hologram", "beam": SECRET, "additional_data": "a"})
    assert isinstance(message, messages.UnknownMessage)
    assert message.model_dump(exclude_none=True) == {"type": "hologram", "beam": SECRET, "additional_data": "a"}
    assert repr(message) == "UnknownMessage(type='hologram')"


def test_fields_of_the_future_are_ignored():
    assert messages.parse_message({"type": "text", "text": "a", "mood": "good"}) == messages.Text(text="a")


EVENTS = [
    events.AgentMessage(event_id="1", session=SESSION, message_id="m", message=messages.Text(text="a")),
    events.AgentMessageUpdated(event_id="1", session=SESSION, message_id="m", message=messages.Text(text="a")),
    events.AgentMessageDeleted(event_id="1", session=SESSION, message_id="m"),
    events.AgentAssigned(event_id="1", session=SESSION, agent=Agent(id="a")),
    events.AgentUnassigned(event_id="1", session=SESSION),
    events.SessionStopped(event_id="1", session=SESSION, moved_to=SESSION),
    events.SessionReopened(event_id="1", session=SESSION),
    events.SessionChanged(event_id="1", session=SESSION),
    events.AgentTyping(event_id="1", session=SESSION),
    events.MessageStatus(event_id="1", session=SESSION, message_id="m", status=events.DeliveryStatus.READ),
    events.Ignored(event_id="1", reason=events.IgnoredReason.ECHO),
]


def test_every_event_kind_is_listed():
    assert [event.kind for event in EVENTS] == list(events.EVENT_KINDS)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_every_event_survives_json(event):
    assert events.parse_event(json.loads(event.model_dump_json())) == event


def test_an_event_kind_of_the_future_is_kept_whole_and_shown_by_kind_only():
    event = events.parse_event({"kind": "agent_waved", "event_id": "1", "with": SECRET})
    assert isinstance(event, events.UnknownEvent)
    assert event.model_dump(exclude_none=True) == {"kind": "agent_waved", "event_id": "1", "with": SECRET}
    assert SECRET not in repr(event)


def test_stop_and_ignored_reasons_of_the_future_stay_readable():
    assert events.StopReason("eaten_by_a_whale") is events.StopReason.UNKNOWN
    assert events.IgnoredReason("eaten_by_a_whale") is events.IgnoredReason.IRRELEVANT


def test_models_are_frozen():
    with pytest.raises(ValidationError):
        messages.Text(text="a").text = "b"


def test_a_relay_item_is_either_text_or_attachment():
    with pytest.raises(ValidationError, match="either a text or an attachment"):
        RelayItem()


def test_s022_an_external_user_as_author_keeps_the_helpdesks_id():
    assert Author.user(ExternalUser(id="z9", name="Ada")) == Author(role="user", id="z9", name="Ada")
    assert Author.user(EndUser(external_id="u1", name="Ada")) == Author(role="user", name="Ada")


@given(st.text(), st.sampled_from(["characters", "utf16", "bytes"]))
def test_limits_measure_in_the_vendors_unit(text, unit):
    measured = TextLimit(max=1, unit=unit).measure(text)
    expected = {
        "characters": len(text),
        "utf16": len(text.encode("utf-16-le", "surrogatepass")) // 2,
        "bytes": len(text.encode("utf-8", "surrogatepass")),
    }
    assert measured == expected[unit]


def test_the_json_schema_of_the_vocabulary_can_be_written():
    assert "Bloc" in json.dumps(TypeAdapter(messages.Message).json_schema())
    assert "AgentMessage" in json.dumps(TypeAdapter(events.Event).json_schema())
