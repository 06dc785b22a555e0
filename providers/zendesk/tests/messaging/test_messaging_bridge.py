"""A whole hand-off to Zendesk messaging through a bridge: opened in steps, answered by two agents, ended by one."""

import asyncio

import pytest
from hitl_zendesk.messaging import ZendeskMessagingProvider
from hitl_zendesk.messaging.simulator import ZendeskMessagingSimulator

import hitl_core as hitl

pytest.importorskip("alembic", reason="the bridge's dependencies are an extra")

pytestmark = pytest.mark.anyio

BASE_URL = "https://helpdesk.test"


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the bridge works by itself, and has nothing to wait for
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("scope", ["app", "integration"])
async def test_a_hand_off_from_start_to_end(tmp_path, scope):
    from hitl_core.bridge import Bridge, CallbackHost

    said, back = [], asyncio.get_running_loop().create_future()

    async def send(_conversation, message, sender, *, key):
        del key
        said.append((sender.name or str(sender.role), message.text))

    async def resume(_conversation, hand_back, *, key):
        del key
        back.set_result(hand_back)

    sim = ZendeskMessagingSimulator(scope=scope)
    async with sim.running():
        connection = hitl.connect_class(ZendeskMessagingProvider, transport=sim, **sim.settings(BASE_URL))
        host = CallbackHost(send=send, resume=resume)
        async with connection, Bridge(connection, host, f"sqlite:///{tmp_path}/hitl.db") as bridge:
            seen = 0

            async def deliver():
                nonlocal seen
                await sim.pump()
                for webhook in sim.webhooks.sent[seen:]:
                    await bridge.receive_webhook("zendesk-messaging", headers=webhook.headers, body=webhook.body)
                seen = len(sim.webhooks.sent)

            ada = hitl.EndUser(external_id="u-17", name="Ada Lovelace")
            history = [hitl.HistoryEntry.of(hitl.Author.user(name="Ada"), "Where is my parcel?")]
            started = await bridge.start_hitl("chat-1", ada, "Refund", history=history, trigger_message_id="m-1")
            assert started.status == "started", started
            (conversation,) = sim.records.conversations.values()
            assert conversation.metadata["hitlExternalId"] == "chat-1"
            await bridge.handle_user_message("chat-1", "Any news?", message_id="m-2")
            await until(lambda: conversation.messages[-1]["content"]["text"] == "Any news?")
            assert conversation.messages[-1]["author"]["type"] == "user"
            kim, lou = sim.agents
            for agent, text in ((kim, "On its way."), (kim, "Truly."), (lou, "I take over.")):
                await sim.reply(conversation.id, text, agent=agent)
                await deliver()
                await until(lambda text=text: said[-1][1] == text)
            await sim.close(conversation.id, agent=lou)
            await deliver()
            hand_back = await asyncio.wait_for(back, 20)

    assert hand_back.reason == "agent_closed"
    spoken = [entry for entry in said if entry[0] != "system"]
    assert spoken == [("Kim Agent", "On its way."), ("Kim Agent", "Truly."), ("Lou Agent", "I take over.")]
    joined = [text for name, text in said if name == "system" and "joined" in text]
    assert [text.split()[0] for text in joined] == ["Kim", "Lou"], "each agent is announced once"
