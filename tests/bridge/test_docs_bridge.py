"""The page on the bridge runs and says what is so."""

import asyncio
import contextlib
import io
import re
import threading
from pathlib import Path

import httpx
import pytest

from hitl_core.bridge import Bridge, CallbackHost, Policy, Store
from hitl_core.cli import run as hitl
from hitl_core.people import Agent, EndUser
from hitl_core.testing.memory import MemoryHelpdesk, MemoryProvider, connect_class

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "bridge.md"
POLICY = ROOT / "docs" / "policy.md"
ADA = EndUser(external_id="u-17", name="Ada")


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text("utf-8")


def run(example, page, **names):
    """Run a page's own words; give what they define."""
    names["__name__"] = "__main__"
    exec(compile(example, page.name, "exec"), names)  # noqa: S102 - it is what a reader would do
    return names


def programs(page):
    return re.findall(r"```python\n(import asyncio.*?)```\n\n```text\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def block(page, word):
    """Give the one block of code with a word in it."""
    (found,) = [code for code in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL) if word in code]
    return found


@pytest.mark.parametrize(("example", "shown"), programs(PAGE), ids=["callbacks", "queue"])
def test_an_example_runs_again_and_again_on_one_database_and_prints_what_is_shown(
    example, shown, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            run(example, PAGE)
        assert printed.getvalue() == shown
    assert (tmp_path / "hitl.db").is_file()


def test_the_transcript_of_the_first_example_is_in_the_order_of_what_it_showed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    example, shown = programs(PAGE)[0]
    names = run(example, PAGE)
    capsys.readouterr()
    assert hitl(["sessions", "show", names["conversation"], "--transcript"]) == 0
    said = [line.partition(": ")[2] for line in capsys.readouterr().out.split("\n\n")[2].splitlines()]
    said.remove("Any news?")  # the customer's own, beside the first text
    assert said == [line.partition(": ")[2] for line in shown.splitlines()[:-1]]


class Told:
    """What a customer was shown."""

    def __init__(self):
        self.texts = []
        self.came = asyncio.Event()

    async def __call__(self, conversation_id, message, sender, *, key):
        del conversation_id, sender, key
        self.texts.append(message.text)
        self.came.set()

    async def until(self, text):
        async with asyncio.timeout(30):
            while text not in self.texts:
                self.came.clear()
                await self.came.wait()


async def resume(conversation_id, hand_back, *, key):
    """Take it back."""


def connected(helpdesk, **more):
    return connect_class(MemoryProvider, helpdesk=helpdesk, **more)


@pytest.mark.anyio
async def test_the_route_for_webhooks_takes_in_what_the_registered_secret_signs(tmp_path):
    app_of = run(block(PAGE, "def app_of"), PAGE)["app_of"]
    helpdesk, told = MemoryHelpdesk(), Told()
    store = Store(f"sqlite:///{tmp_path}/hitl.db")
    desk = connected(helpdesk, **store.account("desk"))
    app = app_of(desk, CallbackHost(send=told, resume=resume), store, "https://bot.example.com")
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://bot.example.com") as vendor,
    ):
        await app.state.bridge.start_hitl("c-1", ADA, "Refund", trigger_message_id="m-1")
        delivery = helpdesk.reply("t1", "It is on its way.", Agent(id="a-1", name="Bea"))
        reply = await vendor.post("/webhooks", content=delivery.body + b" ", headers=delivery.headers)
        assert reply.status_code == 401, "not what was signed"
        reply = await vendor.post("/webhooks", content=delivery.body, headers=delivery.headers)
        assert (reply.status_code, reply.content) == (200, b"")
        await told.until("It is on its way.")


@pytest.mark.anyio
async def test_s043_the_policy_of_one_hand_off_is_given_as_the_page_on_policies_gives_it(tmp_path):
    hand_over = run(block(POLICY, "policy={"), POLICY)["hand_over"]
    helpdesk, told = MemoryHelpdesk(), Told()
    host = CallbackHost(send=told, resume=resume)
    policy, url = Policy(maximum_duration_seconds=7_200), f"sqlite:///{tmp_path}/hitl.db"
    async with connected(helpdesk) as desk, Bridge(desk, host, url, policy) as bridge:
        started = await hand_over(bridge, "c-1", ADA)
        await told.until("Somebody will ring you.")
        whole = await bridge.start_hitl("c-2", ADA, "Refund", policy=Policy(on_handoff_message="A whole one."))
        await told.until("A whole one.")
    assert started.handoff.policy.agent_assigned_timeout_seconds == 60
    assert started.handoff.policy.maximum_duration_seconds == 7_200, "of the bridge's"
    assert whole.handoff.policy == Policy(on_handoff_message="A whole one."), "nothing of the bridge's"


@pytest.mark.anyio
async def test_closing_the_bridge_waits_for_a_call_in_a_thread_for_the_grace_period_only_as_its_host_says(tmp_path):
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def send(conversation_id, message, sender, *, key):
        del conversation_id, message, sender, key
        begun.set()
        may_end.wait(60)
        ended.set()

    bridge = Bridge(
        desk := connected(MemoryHelpdesk()), CallbackHost(send=send, resume=resume), f"sqlite:///{tmp_path}/h"
    )
    async with desk:
        try:
            async with bridge:
                await bridge.start_hitl("c-1", ADA, "Refund", trigger_message_id="m-1")
                assert await asyncio.to_thread(begun.wait, 30)
                async with asyncio.timeout(30):
                    await bridge.aclose(grace=0.1)
                assert not ended.is_set()
        finally:
            may_end.set()
    assert await asyncio.to_thread(ended.wait, 30), "it ran on behind the closed bridge"
    said = " ".join(CallbackHost.__doc__.split())
    assert "gives calls that are under way its grace period" in said


@pytest.mark.parametrize("name", ["README.md", "docs/bridge.md"])
def test_what_is_to_be_installed_can_be(name):
    """`hitl-core` is on no registry yet: the checkout it is."""
    text = (ROOT / name).read_text("utf-8")
    assert "pip install 'hitl-core" not in text
    assert "$ uv sync --extra postgres " in text
    assert "pip install -e 'PATH-TO-HITL[bridge]'" in text


def test_the_page_tells_of_replay_and_of_closing_a_queue(page):
    for words in ("`replay`", "without `host.close()`", "`register_webhook`", "--allow-webhooks-to 127.0.0.1:9000"):
        assert words in page


def test_every_method_the_page_names_exists(page):
    named = re.findall(r"`(\w+)\(", "".join(re.findall(r"^\| `.*$", page, flags=re.MULTILINE)))
    assert named
    for name in named:
        assert callable(getattr(Bridge, name)), name


def test_the_page_names_all_a_bot_calls(page):
    internal = {"settle", "aclose"}
    public = {name for name in vars(Bridge) | vars(Bridge.__mro__[1]) if not name.startswith("_")} - internal
    assert [name for name in sorted(public) if f"`{name}(" not in page] == []
