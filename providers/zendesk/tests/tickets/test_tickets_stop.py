"""A stop solves the ticket, once, and says which fields are in the way (behaviours S234, F36)."""

import pytest

import hitl_core as hitl
from hitl_core.testing import ambiguous, not_sent, reply

from .conftest import AGENT, ME, TICKET, refused, updated

pytestmark = pytest.mark.anyio

READ = f"GET tickets/{TICKET}"
UPDATE = f"PUT tickets/{TICKET}"
NO_ASSIGNEE = {"base": [{"description": "Assignee: is required when solving a ticket", "error": "BlankValue"}]}


# The request


@pytest.mark.parametrize("status", ["new", "open", "pending", "hold"])
async def test_s234_a_stop_solves_the_ticket(zendesk, connection, session, status):
    zendesk.ticket(status).on(UPDATE, updated(status="solved"))
    await connection.stop_hitl(session, "user_left")
    assert zendesk.asked == [READ, UPDATE]
    assert zendesk.body(UPDATE) == {"ticket": {"status": "solved"}}


async def test_f36_a_stop_closes_for_good_only_when_the_settings_say_so(zendesk, session):
    zendesk.ticket().on(UPDATE, updated(status="closed"))
    async with zendesk.connect(stop_status="closed") as connection:
        await connection.stop_hitl(session)
    assert zendesk.body(UPDATE) == {"ticket": {"status": "closed"}}


@pytest.mark.parametrize("reason", list(hitl.StopReason))
async def test_every_reason_solves(zendesk, connection, session, reason):
    zendesk.ticket().on(UPDATE, updated(status="solved"))
    await connection.stop_hitl(session, reason)
    assert zendesk.body(UPDATE)["ticket"]["status"] == "solved"


async def test_a_last_text_is_a_note_in_the_same_update(zendesk, connection, session):
    zendesk.ticket().on(UPDATE, updated(601, status="solved"))
    await connection.stop_hitl(session, message="<Grace> left", idempotency_key="k")
    assert zendesk.body(UPDATE) == {
        "ticket": {
            "status": "solved",
            "comment": {"html_body": "<p>&lt;Grace&gt; left</p>", "public": False},
            "metadata": {"hitl": "k/stop"},
        }
    }


# What has ended


@pytest.mark.parametrize("message", [None, "Grace left"])
@pytest.mark.parametrize("status", ["solved", "closed", "archived"])
async def test_s234_a_ticket_that_has_ended_is_left_alone(zendesk, connection, session, status, message):
    zendesk.ticket(status)
    await connection.stop_hitl(session, message=message)
    assert zendesk.asked == [READ]


@pytest.mark.parametrize(
    "told",
    [
        refused(status=["Status: closed prevents ticket update"]),
        reply(422, json={"error": "ClosedTicket", "description": "This ticket is closed"}),
    ],
    ids=["RecordInvalid", "ClosedTicket"],
)
async def test_a_ticket_an_agent_closed_a_moment_ago_has_ended_too(zendesk, connection, session, told):
    zendesk.ticket().on(UPDATE, told)
    await connection.stop_hitl(session)
    assert len(zendesk.sent(UPDATE)) == 1


@pytest.mark.parametrize("where", ["read", "update"])
async def test_a_ticket_that_is_gone_is_not_found(zendesk, connection, session, where):
    gone = reply(404, json={"error": "RecordNotFound", "description": "Not found"})
    zendesk.ticket().on(UPDATE, gone)
    if where == "read":
        zendesk.on(READ, gone)
    with pytest.raises(hitl.NotFoundError):
        await connection.stop_hitl(session)


async def test_a_deleted_ticket_is_not_found(zendesk, connection, session):
    zendesk.ticket("deleted")
    with pytest.raises(hitl.NotFoundError) as caught:
        await connection.stop_hitl(session)
    assert caught.value.subject == "session"
    assert zendesk.asked == [READ]


# What is in the way


async def test_required_fields_are_named_and_their_values_are_not(zendesk, connection, session):
    zendesk.ticket(assignee_id=AGENT).on(
        UPDATE,
        refused(
            base=[
                {"description": "Order of Grace Hopper: needed", "error": "BlankValue", "ticket_field_id": 123},
                {"description": "Colour: needed", "error": "BlankValue", "ticket_field_id": "124"},
                {"description": "Order again", "ticket_field_id": 123},
                {"description": "Something else"},
            ],
            type=["Type: needed"],
        ),
    )
    with pytest.raises(hitl.InvalidRequestError) as caught:
        await connection.stop_hitl(session)
    error = caught.value
    assert error.fields == ("ticket_field:123", "ticket_field:124", "type")
    assert (error.status, error.code, error.operation, error.retryable) == (422, "RecordInvalid", "stop_hitl", False)
    assert "required fields are filled in: ticket_field:123, ticket_field:124, type" in str(error)
    for word in ("Grace", "Colour", "Order"):
        assert word not in repr(error)
    assert len(zendesk.sent(UPDATE)) == 1


async def test_a_refusal_without_details_names_nothing(zendesk, connection, session):
    zendesk.ticket().on(UPDATE, reply(422, body="<html>Grace</html>"))
    with pytest.raises(hitl.InvalidRequestError) as caught:
        await connection.stop_hitl(session)
    assert caught.value.fields == ()
    assert "Grace" not in repr(caught.value)


@pytest.mark.parametrize("details", [NO_ASSIGNEE, {"assignee_id": ["Assignee: cannot be blank"]}])
async def test_a_ticket_that_has_to_be_somebodys_becomes_ours(zendesk, connection, session, details):
    zendesk.ticket().on(UPDATE, refused(**details), updated(status="solved"))
    await connection.stop_hitl(session, message="Grace left", idempotency_key="k")
    first, second = (body["ticket"] for body in zendesk.bodies(UPDATE))
    assert "assignee_id" not in first
    assert second == first | {"assignee_id": ME}


async def test_a_ticket_that_is_somebodys_stays_theirs(zendesk, connection, session):
    zendesk.ticket(assignee_id=AGENT).on(UPDATE, refused(**NO_ASSIGNEE))
    with pytest.raises(hitl.InvalidRequestError):
        await connection.stop_hitl(session)
    assert len(zendesk.sent(UPDATE)) == 1


async def test_what_is_in_the_way_besides_the_assignee_is_told(zendesk, connection, session):
    field = {"description": "Order: needed", "ticket_field_id": 123}
    zendesk.ticket().on(UPDATE, refused(**NO_ASSIGNEE), refused(base=[field]))
    with pytest.raises(hitl.InvalidRequestError) as caught:
        await connection.stop_hitl(session)
    assert caught.value.fields == ("ticket_field:123",)


# Lost answers


@pytest.mark.parametrize("lost", [ambiguous(), 500, not_sent()])
async def test_a_stop_alone_is_repeated_for_it_does_no_harm(zendesk, connection, session, lost):
    zendesk.ticket().on(UPDATE, lost, updated(status="solved"))
    await connection.stop_hitl(session)
    one, two = zendesk.sent(UPDATE)
    assert one.body == two.body


@pytest.mark.parametrize("lost", [ambiguous(), 500])
async def test_f37_a_stop_with_a_last_text_is_not(zendesk, connection, session, lost):
    zendesk.ticket().on(UPDATE, lost)
    with pytest.raises(hitl.AmbiguousOutcomeError):
        await connection.stop_hitl(session, message="Grace left")
    assert len(zendesk.sent(UPDATE)) == 1


# Handing on


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"team": "11"}, {"group_id": 11, "assignee_id": None}),
        ({"agent": "5001"}, {"assignee_id": 5001}),
        ({"team": "11", "agent": "5001"}, {"group_id": 11, "assignee_id": 5001}),
        ({}, {"assignee_id": None}),
    ],
)
async def test_a_ticket_is_handed_to_a_group_an_agent_or_nobody(zendesk, connection, session, given, sent):
    zendesk.on(UPDATE, updated())
    await connection.transfer(session, **given)
    assert zendesk.body(UPDATE) == {"ticket": sent}


@pytest.mark.parametrize("given", [{"team": "Support"}, {"agent": "ada"}, {"agent": "-1"}, {"team": "0"}])
async def test_a_name_instead_of_a_number_is_refused_before_anything_is_sent(connection, session, zendesk, given):
    with pytest.raises(hitl.InvalidRequestError, match="number"):
        await connection.transfer(session, **given)
    assert zendesk.asked == []


# Limits


async def test_f38_updates_of_one_ticket_and_of_the_account_are_kept_within_their_limits(zendesk, connection, session):
    def answer(name, total, left, resets):
        headers = {f"zendesk-{name}": f"total={total}; remaining={left}; resets={resets}"}
        return reply(200, json=updated(601), headers=headers)

    zendesk.ticket()
    zendesk.ticket(id_=78).takes(602, id_=78)
    other = session.model_copy(update={"ref": hitl.SessionRef(connection=connection.key, id="78")})

    zendesk.on(UPDATE, answer("ratelimit-per-ticket-updates", 30, 0, 20))
    await connection.send_message(session, "Hi")
    await connection.send_message(other, "Hi")
    assert zendesk.clock.waits == []
    await connection.send_message(session, "Hi")
    assert zendesk.clock.waits == [20]

    zendesk.on(UPDATE, answer("rate-limit-tickets-update", 20, 0, 25))
    zendesk.clock.advance(600)
    zendesk.clock.waits.clear()
    await connection.send_message(session, "Hi")
    await connection.send_message(other, "Hi")
    assert zendesk.clock.waits == [25]
