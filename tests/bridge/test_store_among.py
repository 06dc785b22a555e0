"""One statement for any number of texts."""

import pytest
import sqlalchemy as sa

from hitl_core.bridge.store.among import among
from hitl_core.bridge.store.tables import conversations
from hitl_core.errors import InvalidRequestError, StoreError

from .world import world

pytestmark = pytest.mark.anyio

ODD = ["a", "quotes \"'", "back\\slash", "\\u0000", "ünï 😀", "%", "", "[]", "a,b", "null"]


async def _found(store, texts):
    c = conversations.c
    query = sa.select(c.id).where(c.tenant == "default", among(store, c.id, "texts"))
    async with store.read() as conn:
        return sorted((await conn.execute(query, {"texts": texts})).scalars())


@pytest.fixture
async def filled(store):
    rows = [{"tenant": tenant, "id": id_, "speaker": "bot", "fence": 0} for tenant in ("default", "t2") for id_ in ODD]
    async with store.write() as conn:
        await conn.execute(conversations.insert(), rows)
    return store


@pytest.mark.parametrize("texts", [[], ["a"], ODD, {"a", "%"}, ["a", "a"], ["b", "A", "a "]])
async def test_exactly_the_given_texts_are_found_each_once(filled, texts):
    assert await _found(filled, texts) == sorted(set(texts) & set(ODD))


async def test_however_many_texts_there_are_the_statement_is_the_same(filled):
    said = []
    sa.event.listen(filled.engine.sync_engine, "before_cursor_execute", lambda _c, _u, sql, *_: said.append(sql))
    for count in (0, 1, 7, 300):
        await _found(filled, [str(number) for number in range(count)])

    assert len({sql for sql in said if sql.startswith("SELECT")}) == 1


async def test_a_text_with_a_nul_is_refused_rather_than_taken_for_its_beginning(filled):
    with pytest.raises(StoreError):
        await _found(filled, ["a\0b"])


@pytest.mark.parametrize("id_", ["", "c\0x"])
async def test_a_conversation_or_message_no_database_could_look_for_is_refused_at_the_door(store, id_):
    async with world(store) as at:
        await at.start()

        with pytest.raises(InvalidRequestError, match="conversation_id"):
            await at.start(id_)
        with pytest.raises(InvalidRequestError, match="message_id"):
            await at.bridge.handle_user_message("c1", "Hello?", message_id=id_)
        await at.say("Hello?")

        assert at.sent() == ["Hello?"]
