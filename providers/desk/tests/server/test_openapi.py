"""The protocol's document: current, well-formed, and true of the running desk."""

import asyncio
import json
import threading

import hypothesis
import pytest
import schemathesis
from hitl_desk.server import ServerSettings, create_app, create_bot
from hitl_desk.server.openapi import document
from hitl_desk.server.serving import Server
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hitl_core.listening import listen

from schemathesis.checks import not_a_server_error  # isort: skip


made = json.loads(document())
WORDY = ["createTicket", "postMessage"]


def load(*, systematic):
    """Read the document; systematic cases go through every value of every field one by one."""
    loaded = schemathesis.openapi.from_dict(json.loads(json.dumps(made)))
    loaded.config.phases.coverage.enabled = systematic
    return loaded


# Twelve kinds of messages inside one another make thousands of systematic cases; random ones do there.
plain = load(systematic=True).exclude(path="/v1/stream").exclude(operation_id=WORDY)
wordy = load(systematic=False).include(operation_id=WORDY)


def test_the_document_describes_the_protocol_and_nothing_else():
    assert made["openapi"].startswith("3.1")
    assert not [path for path in made["paths"] if "inbox" in path]
    operations = [(path, operation) for path, methods in made["paths"].items() for operation in methods.values()]
    for path, operation in operations:
        assert operation["description"], path
        if path.startswith("/v1"):
            assert operation["security"] == [{"botToken": []}]
            assert {"401", "403", "422", "503"} <= set(operation["responses"]), path
            for status, response in operation["responses"].items():
                kinds = set(response.get("content", {}))
                assert kinds == {"application/problem+json"} if status >= "400" else "application/problem" not in kinds
    for path, methods in made["paths"].items():
        assert "post" not in methods or "Idempotency-Key" in str(methods["post"]["parameters"]), path
    names = [operation["operationId"] for _, operation in operations]
    assert len(set(names)) == len(names)
    dangling = json.dumps(made)
    for name in {part.split('"')[0] for part in dangling.split("#/components/schemas/")[1:]}:
        assert name in made["components"]["schemas"]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A desk on a real socket, with a bot, a ticket, a file and an endpoint for cases to meet."""
    folder = tmp_path_factory.mktemp("desk")
    listener = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = ServerSettings(data_dir=folder, public_url=url, max_wait=0, allowed_types=("*",))
    app = create_app(settings)
    up = threading.Event()
    server = Server(app, up=up.set, down=app.state.desk.log.close)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(server.serve(sockets=[listener]),))
    thread.start()
    try:
        assert up.wait(20)
        made = asyncio.run_coroutine_threadsafe(create_bot(app.state.desk, "Shop bot"), loop)
        _, token = made.result(20)
        yield _Running(url, {"Authorization": f"Bearer {token}"})
    finally:
        server.should_exit = True
        thread.join(20)
        loop.close()


class _Running:
    def __init__(self, url, headers):
        import httpx

        self.url, self.headers = url, headers
        with httpx.Client(base_url=url, headers=headers) as client:
            customer = client.put("/v1/customers/u", json={"name": "Ada"}).json()["id"]
            ticket = client.post("/v1/tickets", json={"customer_id": customer}).json()["id"]
            file = client.post("/v1/attachments", files={"file": ("a.txt", b"a", "text/plain")}).json()["id"]
            client.put("/v1/webhook-endpoints/main", json={"url": "https://192.0.2.1/"})
        self.known = {"customer_id": customer, "ticket_id": ticket, "attachment_id": file, "endpoint_id": "main"}

    def meet(self, case, turn):
        """Give each case its own key, and every other one what there is, so that not all end with 409 or 404."""
        if case.headers and "Idempotency-Key" in case.headers and turn % 5:
            case.headers["Idempotency-Key"] = f"case-{turn}"
        if isinstance(case.body, dict) and "message" in case.body:
            case.body["reopen"] = True
        if turn % 2:
            return
        for values in (case.path_parameters, case.body):
            if isinstance(values, dict):
                values.update({name: value for name, value in self.known.items() if name in values})


turns = iter(range(10**9))


def bounded(examples):
    return hypothesis.settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )


def call(case, running):
    running.meet(case, next(turns))
    case.call_and_validate(
        base_url=running.url,
        headers=running.headers,
        checks=[
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_headers_conformance,
            response_schema_conformance,
        ],
    )


@plain.parametrize()
@bounded(15)
def test_whatever_is_sent_there_is_no_5xx_and_every_answer_is_as_declared(case, running):
    call(case, running)


@wordy.parametrize()
@bounded(60)
def test_whatever_is_said_there_is_no_5xx_and_every_answer_is_as_declared(case, running):
    call(case, running)
