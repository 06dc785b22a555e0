"""The commands beside a bridge at work on the same database."""

import asyncio
import json
import signal
import sys

import pytest

from hitl_core.bridge.bridge import Bridge
from hitl_core.bridge.handoff.records import EndReason
from hitl_core.bridge.hosts import CallbackHost, SeenKeys
from hitl_core.cli import run
from hitl_core.people import EndUser
from hitl_core.testing.memory import MemoryHelpdesk, MemoryProvider, connect_class

pytestmark = pytest.mark.anyio

USER = EndUser(external_id="u-1", name="Grace Hopper")


@pytest.fixture
def hitl(database_url, capsys):
    """Run `hitl` in a thread, with an engine and an event loop of its own; give its code, stdout and stderr."""

    async def call(*arguments):
        code = await asyncio.wait_for(asyncio.to_thread(run, [*arguments, "--db", database_url]), 60)
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


class Bot:
    """Keeps what it is given."""

    def __init__(self):
        self.shown, self.back = [], asyncio.get_running_loop().create_future()
        self._seen = SeenKeys()

    async def send(self, conversation_id, message, sender, *, key):
        with self._seen.once(key) as first:
            if first:
                self.shown.append(message.text)

    async def resume(self, conversation_id, hand_back, *, key):
        if not self.back.done():
            self.back.set_result(hand_back)


async def test_s103_a_hand_off_is_seen_and_ended_beside_the_server_and_the_bot_goes_on(database_url, hitl):
    helpdesk, bot = MemoryHelpdesk(), Bot()
    desk = connect_class(MemoryProvider, helpdesk=helpdesk, webhook_secret=helpdesk.secret)
    host = CallbackHost(send=bot.send, resume=bot.resume)
    async with desk, Bridge(desk, host, database_url) as bridge:
        started = await bridge.start_hitl("c-1", USER, "Refund", trigger_message_id="m-1")
        assert started.status == "started"
        handled = await bridge.handle_user_message("c-1", "my card 4111", message_id="m-2")
        assert handled.silence

        code, out, err = await hitl("sessions", "list", "--json")
        assert (code, err) == (0, "")
        listed = json.loads(out)
        assert (listed["id"], listed["conversation_id"]) == (started.handoff.id, "c-1")
        assert listed["session_id"] == started.session.id

        code, out, err = await hitl("reconcile")
        assert (code, err) == (0, ""), "a server is at work"
        assert out.split()[-1] == "1"

        code, out, err = await hitl("sessions", "end", "c-1", "--reason", "timeout", "--wait", "30")
        assert (code, out) == (0, ""), err
        assert "It has ended: stop_requested." in err
        hand_back = await asyncio.wait_for(bot.back, 30)
        assert hand_back.reason is EndReason.STOP_REQUESTED
        assert hand_back.continue_flow
        assert len(bot.shown) == 2, "told that somebody comes, and that it has ended"
        assert not await bridge.silent("c-1")

        code, out, err = await hitl("sessions", "show", "c-1")
        assert code == 0
        assert "stop_requested timeout" in out
        assert "4111" not in out


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_following_ends_by_ctrl_c_without_a_word(database_url, backend):
    helpdesk, bot = MemoryHelpdesk(), Bot()
    desk = connect_class(MemoryProvider, helpdesk=helpdesk, webhook_secret=helpdesk.secret)
    program = "import sys; from hitl_core.cli import main; main(sys.argv[1:])"
    arguments = [sys.executable, "-c", program, "sessions", "tail", "-f", "--db", database_url]
    async with desk, Bridge(desk, CallbackHost(send=bot.send, resume=bot.resume), database_url) as bridge:
        await bridge.start_hitl("c-1", USER, "Refund", trigger_message_id="m-1")
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*arguments, stdout=pipe, stderr=pipe)
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        process.send_signal(signal.SIGINT)
        _, err = await asyncio.wait_for(process.communicate(), 60)
    assert b"  c-1  start_requested transcript  done" in line
    assert (process.returncode, err) == (0, b"")
