"""A Zendesk client that is not ours works with the simulator as it would with Zendesk.

zenpy is licensed under the GPL: it is only ever run as a program of its own, in an environment made for the run.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from hitl_zendesk.simulator import ZendeskSimulator
from hitl_zendesk.simulator.account import BOT_EMAIL, BOT_ID, PUBLIC_URL
from hitl_zendesk.simulator.oauth import SIM_API_TOKEN

from hitl_core.testing import ShiftedClock, serving
from hitl_core.testing.simulator import SimFile

pytestmark = pytest.mark.anyio

ZENPY = "zenpy>=2.0.57,<3"
SCRIPT = Path(__file__).with_name("independent_client.py")
SAID = {
    "name": "Åsa Öberg",
    "subject": 'Parcel & "letter" <late>',
    "opening": "<p>My parcel is <b>late</b>.</p><p>Order&nbsp;5</p>",
    "question": "<p>Any news? 🙂</p>",
    "note": "<p>For agents alone</p>",
    "file": "Ünïcode in a file\n",
    "file_name": "order 5.txt",
}


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
def zenpy(tmp_path_factory):
    """A Python that has zenpy and nothing of ours."""
    folder = tmp_path_factory.mktemp("zenpy")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", ZENPY]
    steps = [[sys.executable, "-m", "venv", str(folder)], pip]
    if uv := shutil.which("uv"):
        make = [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder)]
        steps = [make, [uv, "pip", "install", "--quiet", "--python", str(python), ZENPY]]
    for step in steps:
        if subprocess.run(step, capture_output=True, timeout=300, check=False).returncode:
            reason = f"zenpy, which is not ours, could not be installed by: {' '.join(step[1:])}"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
    return python


@pytest.fixture
def clock():
    return ShiftedClock()


@pytest.fixture
def simulator(clock):
    return ZendeskSimulator(clock=clock)


@pytest.fixture
async def ask(zenpy, simulator):
    """Let zenpy do one of the steps of the script, with the simulator on a port; give what it saw."""
    async with serving(simulator) as url:

        async def ask(step, **more):
            asked = {"url": url, "public_url": PUBLIC_URL, "email": BOT_EMAIL, "api_token": SIM_API_TOKEN, "step": step}
            command = [str(zenpy), "-I", "-X", "utf8", str(SCRIPT)]
            given = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
            with anyio.fail_after(60):
                ran = await anyio.run_process(command, input=json.dumps(asked | more).encode(), env=given, check=False)
            assert ran.returncode == 0, ran.stderr.decode()
            return json.loads(ran.stdout)

        yield ask


async def test_what_zenpy_writes_is_what_the_agent_sees(ask, simulator):
    wrote = await ask("write", **SAID)
    session = await simulator.session(str(wrote["ticket"]))
    users = {user.id: user for user in await simulator.users()}
    first, second, again = map(str, wrote["customers"])
    assert wrote["me"] == BOT_ID
    assert (users[first].name, users[first].external_id, users[first].email) == (SAID["name"], "zp-1", None)
    assert again == second
    assert (users[second].name, users[second].external_id) == ("Bo Berg", "ZP-2")
    assert (session.title, session.user_id, session.external_id) == (SAID["subject"], first, "zp-ticket")
    assert session.open
    opening, question, note = session.messages
    assert [message.id for message in session.messages] == [str(id_) for id_ in wrote["comments"]]
    assert [message.role for message in session.messages] == ["bot", "user", "bot"]
    assert [message.public for message in session.messages] == [True, True, False]
    assert opening.text.split() == ["My", "parcel", "is", "late.", "Order", "5"]
    assert (question.author, question.text) == (SAID["name"], "Any news? 🙂")
    assert note.text == "For agents alone"
    (file,) = question.files
    assert (file.name, file.content.decode()) == (SAID["file_name"], SAID["file"])
    assert file.content_type.startswith("text/plain")
    assert (wrote["upload"]["name"], wrote["upload"]["size"]) == (SAID["file_name"], len(file.content))


async def test_what_the_agent_does_is_what_zenpy_reads(ask, simulator, clock):
    began = clock.now()
    wrote = await ask("write", **SAID)
    id_, agent = str(wrote["ticket"]), simulator.agent()
    picture = SimFile(name="map.png", content_type="image/png", content=b"\x89PNG made up")
    await simulator.assign(id_, agent=agent)
    await simulator.attach(id_, "It is on its way", [picture], agent=agent)
    await simulator.note(id_, "Asked the warehouse", agent=agent)
    await simulator.solve(id_, agent=agent)
    other = int(await simulator.open_elsewhere("Nobody's bot knows of this"))
    clock.advance(300)  # lists by search and export lag behind
    read = await ask("read", ticket=wrote["ticket"], since=began.timestamp() - 60)
    assert read["ticket"] == {
        "id": wrote["ticket"],
        "subject": SAID["subject"],
        "status": "solved",
        "priority": "high",
        "external_id": "zp-ticket",
        "tags": ["hitl", "zenpy"],
    }
    assert read["requester"] == {"name": SAID["name"], "email": None, "external_id": "zp-1", "role": "end-user"}
    assert read["assignee"] == agent.name
    assert abs(read["created_at"] - began.timestamp()) < 60
    seen = (await simulator.session(id_)).messages
    assert [str(comment["id"]) for comment in read["comments"]] == [message.id for message in seen]
    assert [comment["public"] for comment in read["comments"]] == [message.public for message in seen]
    assert [comment["author"] for comment in read["comments"]] == [message.author for message in seen]
    assert [comment["id"] for comment in read["comments"]] == read["audited"]
    opening, question, _, answer, note = read["comments"]
    assert "<b>late</b>" in opening["html_body"]
    assert opening["body"].split() == ["My", "parcel", "is", "late.", "Order", "5"]
    assert "It is on its way" in answer["html_body"]
    assert note["body"] == "Asked the warehouse"
    assert question["files"] == [told(SAID["file_name"], "text/plain", SAID["file"].encode(), question)]
    assert answer["files"] == [told("map.png", "image/png", picture.content, answer)]
    for way in ("by_external_id", "shown_many"):
        assert read[way] == [wrote["ticket"]], way
    for way in ("listed", "paged", "changed"):
        assert sorted(read[way]) == sorted([wrote["ticket"], other]), way
    assert (read["with_external_id"], read["by_email"]) == (wrote["customers"][:1], wrote["customers"][1:2])


def told(name, kind, content, comment):
    """Return a file as the script tells of it, its type as far as it does not depend on who wrote it down."""
    (file,) = comment["files"]
    assert file["type"].partition(";")[0] == kind
    return {"name": name, "type": file["type"], "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


async def test_zenpy_makes_and_removes_webhooks_and_triggers(ask, simulator):
    made = await ask("register", endpoint="https://bot.test/webhooks/zenpy")
    assert made["webhooks"] == ["zenpy"]
    assert made["subscriptions"] == ["conditional_ticket_events"]
    assert made["triggers"] == ["zenpy"]
    assert made["conditions"]["all"] == [{"field": "current_tags", "operator": "includes", "value": "hitl"}]
    assert len(made["secret"]) == 44
    assert made["status"] == "inactive"
    assert made["left"] == [0, 0]
    assert await simulator.endpoints() == []


async def test_zenpy_takes_refusals_for_what_they_are(ask, simulator):
    wrote = await ask("write", **SAID)
    await simulator.close(str(wrote["ticket"]), agent=simulator.agent())
    await simulator.closed_by_automation(str(wrote["ticket"]))
    refused = await ask("fail", ticket=wrote["ticket"])
    assert {what: (refusal["as"], refusal["status"]) for what, refusal in refused.items()} == {
        "missing": ("RecordNotFoundException", 404),
        "closed": ("APIException", 422),
        "taken": ("APIException", 422),
        "no comment": ("APIException", 422),
    }
    assert "closed prevents ticket update" in refused["closed"]["details"]["status"][0]["description"]
    assert "already being used by another user" in refused["taken"]["details"]["email"][0]["description"]
