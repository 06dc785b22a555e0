"""What django-helpdesk does that the kit does not ask about, against the real application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hitl_django_helpdesk import DjangoHelpdeskProvider
from hitl_django_helpdesk.simulator import DjangoHelpdeskSimulator

import hitl_core as hitl

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def connected(simulator: DjangoHelpdeskSimulator, **settings: Any) -> AsyncIterator[hitl.Connection]:
    given = {**simulator.settings("https://helpdesk.test"), **settings}
    async with (
        simulator.running(),
        hitl.connect_class(DjangoHelpdeskProvider, transport=simulator, **given) as connection,
    ):
        yield connection


async def started(connection: hitl.Connection, **options: Any) -> hitl.HitlSession:
    ada = await connection.create_user(name="Ada", external_id="u-17", email="ada@example.com")
    return await connection.start_hitl(user=ada, title="Refund", **options)


async def test_what_an_agent_has_resolved_is_over_and_a_stop_leaves_it_resolved() -> None:
    simulator = DjangoHelpdeskSimulator()
    async with connected(simulator) as connection:
        session = await started(connection)
        await simulator.act(session.id, "2", new_status=3)
        state = (await connection.list_events(session)).state
        assert state is not None
        assert (state.open, state.status) == (False, "3")
        await connection.stop_hitl(session, reason="user_left")
        after = (await connection.list_events(session)).state
        assert after is not None
        assert after.status == "3"


async def test_a_merged_ticket_names_the_one_that_goes_on() -> None:
    simulator = DjangoHelpdeskSimulator()
    async with connected(simulator) as connection:
        session, other = await started(connection), await started(connection)
        await simulator.merge(session.id, other.id)
        state = (await connection.list_events(session)).state
        assert state is not None
        assert not state.open
        assert state.moved_to == other.ref


async def test_the_customers_address_is_on_the_ticket_and_their_id_in_its_field() -> None:
    simulator = DjangoHelpdeskSimulator()
    async with connected(simulator) as connection:
        seen = await simulator.session((await started(connection, external_id="conv-42")).id)
        assert seen.facts["submitter_email"] == "ada@example.com"
        assert (seen.user_id, seen.external_id) == ("u-17", "conv-42")


async def test_an_option_names_another_queue_and_one_that_is_missing_is_said_to_be() -> None:
    simulator = DjangoHelpdeskSimulator()
    async with connected(simulator) as connection:
        assert (await simulator.session((await started(connection, options={"queue": 2})).id)).team == "2"
        with pytest.raises(hitl.InvalidRequestError, match="queue"):
            await started(connection, options={"queue": 99})


@pytest.mark.parametrize(("settings", "name", "mend"), [
    ({"password": "wrong"}, "credentials", "password"),
    ({"webhook_secret": None}, "webhook secret", "HELPDESK_FOLLOWUP_WEBHOOK_URLS"),
])  # fmt: skip
async def test_a_check_says_how_to_mend_what_is_not_in_place(settings: dict[str, Any], name: str, mend: str) -> None:
    async with connected(DjangoHelpdeskSimulator(), **settings) as connection:
        found = {result.name: result for result in await connection.check()}
    assert not found[name].ok
    assert mend in (found[name].mend or "")


async def test_without_the_custom_fields_a_lost_start_cannot_be_told_and_the_check_says_so() -> None:
    simulator = DjangoHelpdeskSimulator()
    async with connected(simulator) as connection:
        await simulator.drop_custom_fields()
        found = {result.name: result for result in await connection.check()}
        assert "hitl_start" in (found["custom fields"].mend or "")
        assert (await started(connection)).id == "1"


@pytest.mark.parametrize(
    "text",
    [
        "{{ ticket.secret_key }}",
        "{{",
        "{%",
        "%}",
        "{% verbatim %} {% endverbatim %}",
        "{# gone #}",
        "{{{%}}%}",
        "%}{%",
        "{% if",
        'a "quote" {{ "{{" }} \\ {%}',
        "X-HELPDESK-COMMENT {} % }",
    ],
)
async def test_what_people_write_is_no_template_of_the_helpdesks(text: str) -> None:
    simulator = DjangoHelpdeskSimulator()
    async with connected(simulator) as connection:
        session = await started(connection, description=text)
        await connection.send_message(session, text, author=hitl.Author(role=hitl.Role.BOT))
        assert [message.text for message in (await simulator.session(session.id)).messages] == [text, text]


async def test_a_wrong_user_id_is_told_and_does_not_make_us_answer_ourselves() -> None:
    simulator = DjangoHelpdeskSimulator()
    async with connected(simulator, user_id=99) as connection:
        ada = await connection.create_user(name="Ada", external_id="u-17")
        begun = await connection.begin(connection.plan_start(user=ada, title="Refund"))
        assert begun.session is not None
        assert "set user_id" in " ".join(begun.warnings)
        await connection.send_message(begun.session, "Hello", author=hitl.Author.user(ada))
        events = (await connection.list_events(begun.session)).events
    assert [event.kind for event in events] == ["ignored", "ignored"]
