"""Fault switches: what they do to a request, in memory and on a socket, and when they are over."""

import pytest

from hitl_core._http import HttpRequest, as_transport
from hitl_core._http.transport import TransportFailure
from hitl_core.testing.simulator import Fault, serving

from .conftest import BASE_URL

pytestmark = pytest.mark.anyio


async def post(transport, base_url=BASE_URL, seconds=0.2):
    body = b'{"client_secret":"client-secret-of-the-reference-helpdesk","refresh_token":"%s"}'
    body %= b"refresh-0-of-the-reference-helpdesk"
    request = HttpRequest("POST", f"{base_url}/oauth/token", {"content-type": "application/json"}, body)
    return await transport.send(request, timeout=seconds, max_bytes=100_000)


@pytest.fixture(params=["memory", "port"])
async def reached(request, simulator, transport):
    """The transport and address of the simulator, both ways."""
    if request.param == "memory":
        yield transport, BASE_URL
        return
    async with serving(simulator) as url:
        network = as_transport(None)
        yield network, url
        await network.aclose()


async def test_answer_gives_status_headers_and_the_vendors_body_without_effect(reached, control, simulator):
    await control.add_fault(Fault(kind="answer", status=429, headers={"Retry-After": "7"}))
    answer = await post(*reached)
    assert (answer.status, answer.header("retry-after"), answer.json()) == (429, "7", {"error": "status_429"})
    assert not simulator.access_tokens
    assert (await post(*reached)).status == 200


async def test_hanging_before_has_no_effect_and_after_it_has(reached, control, simulator):
    await control.add_fault(Fault(kind="hang_before"))
    with pytest.raises(TransportFailure):
        await post(*reached)
    assert not simulator.access_tokens
    await control.add_fault(Fault(kind="hang_after"))
    with pytest.raises(TransportFailure):
        await post(*reached)
    assert simulator.access_tokens


async def test_a_reset_before_has_no_effect_and_after_it_has(reached, control, simulator, caplog):
    await control.add_fault(Fault(kind="reset_before"))
    with pytest.raises(TransportFailure):
        await post(*reached)
    assert not simulator.access_tokens
    await control.add_fault(Fault(kind="reset_after"))
    with pytest.raises(TransportFailure):
        await post(*reached)
    assert simulator.access_tokens


async def test_latency_is_time_of_the_simulators_clock(control, transport, clock):
    await control.add_fault(Fault(kind="latency", seconds=5))
    before = clock.now()
    assert (await post(transport)).status == 200
    assert (clock.now() - before).total_seconds() == 5


async def test_a_fault_is_for_its_method_its_path_and_its_number_of_requests(control, transport, simulator):
    await control.add_fault(Fault(kind="answer", status=500, method="GET", path="/me", times=2))

    async def get(path):
        return (await transport.send(HttpRequest("GET", BASE_URL + path, {}), timeout=1, max_bytes=1000)).status

    assert await get("/availability") == 401
    assert [await get("/me") for _ in range(3)] == [500, 500, 401]
    assert [request["status"] for request in simulator.requests] == [401, 500, 500, 401]
    await control.add_fault(Fault(kind="answer", status=500, times=None))
    assert [await get("/me") for _ in range(3)] == [500, 500, 500]
    await control.clear_faults()
    assert await get("/me") == 401
