"""What a simulator is asked, against a vendor's description: every kind of mistake is found, and no text is told."""

import json
import subprocess
import sys

import pytest

from hitl_core import ConfigurationError
from hitl_core._http import HttpRequest, as_transport
from hitl_core.testing import Description, serving, watched
from hitl_core.testing.reference import ReferenceSimulator
from hitl_core.testing.simulator import Fault

pytestmark = pytest.mark.anyio

SHOP = """
openapi: 3.0.3
info: {title: Shop, version: 2024-05-01}
servers: [{url: "https://{shop}.shop.example/v1/"}]
paths:
  /orders:
    get:
      parameters:
        - {name: since, in: query, required: true, schema: {type: integer}}
        - {name: open, in: query, schema: {type: boolean}}
        - {name: size, in: query, schema: {type: number}}
        - {name: sort, in: query, schema: {type: string, enum: [=, asc, no]}}
        - {name: ids, in: query, explode: false, schema: {type: array, items: {type: integer}}}
        - {name: tag, in: query, schema: {type: array, items: {type: string}}}
        - {name: page, in: query, style: deepObject, schema: {type: object}}
        - {name: X-Shop, in: header, schema: {type: integer}}
      responses: {}
    post:
      requestBody: {$ref: "#/components/requestBodies/Order"}
      responses: {}
  /orders/{order_id}:
    parameters: [{$ref: "#/components/parameters/OrderId"}]
    get: {responses: {}}
    delete:
      parameters: [{name: order_id, in: path, required: true, schema: {type: string}}]
      responses: {}
  /orders/latest: {get: {responses: {}}}
  /files/{name}.{kind}:
    put:
      requestBody: {content: {image/*: {}, "application/json; charset=utf-8": {schema: {type: object}}}}
      responses: {}
components:
  parameters:
    OrderId: {name: order_id, in: path, required: true, schema: {type: integer}}
  requestBodies:
    Order:
      required: true
      content: {application/json: {schema: {type: object, properties: {order: {$ref: "#/components/schemas/Order"}}}}}
  schemas:
    Order:
      required: [id, title]
      allOf:
        - $ref: "#/components/schemas/Thing"
        - type: object
          properties:
            title: {type: string, maxLength: 40}
            due: {type: string, format: date-time, nullable: true}
            day: {type: string, enum: [2024-05-01]}
            lines: {type: array, items: {type: object, properties: {sku: {type: string}}, required: [sku]}}
            free: {type: object}
            open: {type: object, properties: {a: {type: integer}}, additionalProperties: true}
            shut: {type: object, properties: {a: {type: integer}}, additionalProperties: false}
            whom:
              oneOf:
                - {type: integer}
                - {type: object, properties: {name: {type: string}}, required: [name]}
      properties:
        id: {type: integer, readOnly: true}
    Thing: {type: object, properties: {colour: {type: string}, parent: {$ref: "#/components/schemas/Thing"}}}
"""
PRIVATE = "Ada's parcel is late"
UNFIT = "does not fit its alternatives; the nearest:"
JSON = {"Content-Type": "application/json; charset=utf-8"}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_text(SHOP, encoding="utf-8")
    return path


@pytest.fixture
def shop(file):
    return Description.load(file)


def asked(shop, order, headers=JSON):
    return shop.problems("POST", "/v1/orders", "", headers, json.dumps({"order": order}).encode())


def test_what_is_as_described_has_no_problems(shop):
    order = {
        "title": "Parcel",
        "colour": "red",
        "parent": {"parent": {"colour": "blue"}},
        "due": None,
        "day": "2024-05-01",
        "lines": [{"sku": "1"}],
        "free": {PRIVATE: 1},
        "open": {PRIVATE: 1},
        "whom": {"name": "Ada"},
    }
    assert asked(shop, order) == []
    query = "since=5&open=true&size=1.5&sort=%3D&ids=1,2&tag=a&tag=b&page%5Bsize%5D=3"
    assert shop.problems("get", "/v1/orders", query, {"x-shop": "7"}) == []
    assert shop.problems("PUT", "/v1/files/a%2Fb.png", "", {"content-type": "image/png"}, b"\x89") == []
    assert shop.seen == {"POST /orders": 1, "GET /orders": 1, "PUT /files/{name}.{kind}": 1}


@pytest.mark.parametrize("path", ["/v1/order", "/orders", "/v1/orders/", "/v1/orders/1/2", "/v2/orders"])
def test_a_path_that_is_not_described_is_told_apart(shop, path):
    assert shop.problems("GET", path) is None
    assert shop.operation("GET", path) is None


@pytest.mark.parametrize(
    ("method", "path", "query", "problem"),
    [
        ("PATCH", "/v1/orders/1", "", "the method is not described"),
        ("GET", "/v1/orders/x", "", "path order_id is not of type integer"),
        ("GET", "/v1/orders", "", "query since is missing"),
        ("GET", "/v1/orders", "since=now", "query since is not of type integer"),
        ("GET", "/v1/orders", "since=1&since=2", "query since is given more than once"),
        ("GET", "/v1/orders", "since=1&open=yes", "query open is not of type boolean"),
        ("GET", "/v1/orders", "since=1&size=big", "query size is not of type number"),
        ("GET", "/v1/orders", "since=1&sort=yes", "query sort is none of ['=', 'asc', 'no']"),
        ("GET", "/v1/orders", "since=1&ids=1,x", "query ids[] is not of type integer"),
        ("GET", "/v1/orders", "since=1&color=red", "query color is not described"),
        ("GET", "/v1/orders", "since=1&since[x]=red", None),
        ("GET", "/v1/orders", "since=1&color[x]=red", "query color[x] is not described"),
        ("GET", "/v1/orders/latest", "", None),
        ("DELETE", "/v1/orders/x", "", None),
    ],
)
def test_paths_methods_and_parameters_are_checked(shop, method, path, query, problem):
    assert shop.problems(method, path, query) == ([problem] if problem else [])


def test_header_parameters_are_checked_and_others_are_nobodys_business(shop):
    headers = {"x-shop": "seven", "x-other": "1"}
    assert shop.problems("GET", "/v1/orders", "since=1", headers) == ["header X-Shop is not of type integer"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"title": 5}, "body order.title is not of type string"),
        ({"title": None}, "body order.title is not of type string"),
        ({"title": "x" * 41}, "body order.title breaks maxLength 40"),
        ({"id": 5}, "body order.id is read-only"),
        ({"due": "tomorrow"}, "body order.due is not in the format date-time"),
        ({"day": "2024-05-02"}, "body order.day is none of ['2024-05-01']"),
        ({"lines": [{"sku": "1"}, {}]}, "body order.lines[].sku is missing"),
        ({"lines": [{"sku": "1", "price": 1}]}, "body order.lines[].price is not described"),
        ({"color": "red"}, "body order.color is not described"),
        ({"parent": {"color": "red"}}, "body order.parent.color is not described"),
        ({"open": {"a": "x", "b": 1}}, "body order.open.a is not of type integer"),
        ({"whom": []}, f"body order.whom {UNFIT} body order.whom is not of type integer"),
        ({"whom": {"name": 5}}, f"body order.whom {UNFIT} body order.whom.name is not of type string"),
        ({PRIVATE: PRIVATE}, "body order.… is not described"),
    ],
)
def test_bodies_are_checked_by_their_schemas(shop, change, problem):
    assert asked(shop, {"title": "Parcel", **change}) == [problem]


def test_a_key_that_is_forbidden_is_told_with_its_name(shop):
    found = asked(shop, {"title": "Parcel", "shut": {"b": 1}})
    assert found == ["body order.shut has a key that is not described", "body order.shut.b is not described"]


def test_what_is_required_of_answers_alone_is_not_asked_of_requests(shop):
    assert asked(shop, {}) == ["body order.title is missing"]


def test_bodies_and_content_types_that_are_not_described_are_problems(shop):
    body = b'{"order":{"title":"Parcel"}}'
    assert shop.problems("POST", "/v1/orders") == ["the body is missing"]
    assert shop.problems("POST", "/v1/orders", "", JSON, b"{") == ["the body is not JSON"]
    for headers in ({}, {"content-type": "text/plain"}):
        assert shop.problems("POST", "/v1/orders", "", headers, body) == [
            "the content type is none of ['application/json']"
        ]
    assert shop.problems("GET", "/v1/orders/1", "", JSON, body) == ["the body is not described"]


def test_no_problem_repeats_what_a_person_wrote(shop):
    odd = {
        "title": [PRIVATE],
        "due": PRIVATE,
        "day": PRIVATE,
        "lines": [PRIVATE],
        "whom": PRIVATE,
        "shut": {PRIVATE: 1},
    }
    found = [*asked(shop, odd), *asked(shop, {"title": PRIVATE * 3}), *asked(shop, {PRIVATE: {PRIVATE: 1}})]
    found += shop.problems("GET", "/v1/orders", f"since={PRIVATE}&{PRIVATE}=1&sort={PRIVATE}")
    found += shop.problems("GET", "/v1/orders/Ada%27s%20parcel%20is%20late")
    found += shop.problems("POST", "/v1/orders", "", {"content-type": PRIVATE}, PRIVATE.encode())
    assert len(found) > 10
    assert not [problem for problem in found if "Ada" in problem or "parcel" in problem]


@pytest.mark.parametrize("version", ["3.1.0", "3.2.0"])
def test_later_versions_say_null_as_a_type_and_are_read_from_json(tmp_path, version):
    name = {"type": ["string", "null"]}
    schema = {"type": "object", "properties": {"name": name, "id": {"readOnly": True}}, "required": ["id", "name"]}
    post = {"requestBody": {"content": {"application/json": {"schema": schema}}}}
    path = tmp_path / "shop.json"
    path.write_text(json.dumps({"openapi": version, "paths": {"/users": {"post": post}}}))
    described = Description.load(path)
    assert described.problems("POST", "/users", "", JSON, b'{"name":null}') == []
    assert described.problems("POST", "/users", "", JSON, b"{}") == ["body name is missing"]
    assert described.problems("POST", "/users", "", JSON, b'{"name":1,"id":1}') == [
        "body name is not of type ['string', 'null']",
        "body id is read-only",
    ]


def test_a_file_is_parsed_once_until_it_changes(file, shop):
    again = Description.load(str(file))
    assert again._document.content is shop._document.content
    file.write_text(SHOP.replace("/orders/latest", "/orders/newest"), encoding="utf-8")
    assert Description.load(file).operation("GET", "/v1/orders/newest") == "GET /orders/newest"


def test_what_is_allowed_is_no_problem_and_is_told_once_it_is_not_needed(file):
    allow = {
        "POST /orders: body order.color is not described": "the shop's own examples send it",
        "*: query color is not described": "so does its web site",
        "GET /orders: query shade is not described": "it did last year",
    }
    shop = Description.load(file, allow=allow)
    assert asked(shop, {"title": "Parcel", "color": "red", "shade": 1}) == ["body order.shade is not described"]
    assert shop.problems("GET", "/v1/orders", "since=1&color=red") == []
    assert shop.unneeded() == ["GET /orders: query shade is not described"]


def test_what_is_allowed_has_a_reason(file):
    with pytest.raises(ConfigurationError, match=r"say why this is allowed: \*: query color"):
        Description.load(file, allow={"*: query color is not described": " "})


@pytest.mark.parametrize(
    "content", [{}, {"swagger": "2.0", "paths": {}}, {"openapi": "4.0.0", "paths": {}}, ["openapi"]]
)
def test_other_descriptions_are_refused_in_words(content):
    with pytest.raises(ConfigurationError, match="give the vendor's own file"):
        Description(content)


def test_a_missing_package_is_named_with_the_command_that_brings_it():
    program = (
        "import sys; sys.modules['openapi_schema_validator'] = None\n"
        "from hitl_core.testing import Description\n"
        "Description({'openapi': '3.0.0', 'paths': {}})"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "run: pip install openapi-schema-validator" in ran.stderr.splitlines()[-1]


class Shop(ReferenceSimulator):
    """Answers everything with what it was sent."""

    def routes(self):
        from starlette.responses import Response
        from starlette.routing import Route

        async def echo(request):
            return Response(await request.body())

        return [Route("/{path:path}", echo, methods=["GET", "POST"])]


async def ask(transport, url, body=b""):
    request = HttpRequest("POST" if body else "GET", url, {"content-type": "application/json"}, body)
    return await transport.send(request, timeout=5, max_bytes=1_000_000)


GOOD = b'{"order":{"title":"Parcel"}}'
BAD = b'{"order":{"title":"Parcel","color":"Ada"}}'


async def test_a_run_as_described_passes_and_is_answered(shop):
    with watched(Shop(), shop, elsewhere=["/oauth/"]) as simulator:
        async with serving(simulator) as url:
            transport = as_transport(None)
            large = b" " * 300_000 + GOOD  # comes in several pieces
            assert (await ask(transport, f"{url}/v1/orders", large)).body == large
            assert (await ask(transport, f"{url}/v1/orders/7")).status == 200
            assert (await ask(transport, f"{url}/oauth/tokens")).status == 200
            assert (await ask(transport, f"{url}/_sim")).status == 200
            await transport.aclose()
    assert shop.seen == {"POST /orders": 1, "GET /orders/{order_id}": 1}


async def run(shop, *requests, faults=()):
    """Ask a watched simulator."""
    with watched(Shop(), shop) as simulator:
        simulator.faults.extend(faults)
        return [await ask(as_transport(simulator), f"https://shop.test{path}", body) for path, body in requests]


async def test_a_run_fails_at_its_end_with_operations_and_problems(shop):
    with pytest.raises(AssertionError) as failed:
        await run(shop, ("/v1/orders", BAD), ("/v1/orders", BAD), ("/v1/orders/x", b""), ("/v1/parcels/a7_Ada", b""))
    assert str(failed.value).split("\n  ")[1:] == [
        "GET /orders/{order_id}: path order_id is not of type integer",
        "GET /v1/parcels/…: this path is not described",
        "POST /orders: body order.color is not described (2 times)",
    ]


async def test_a_request_that_is_made_to_fail_is_checked_as_well(shop):
    with pytest.raises(AssertionError, match="color is not described"):
        await run(shop, ("/v1/orders", BAD), faults=[Fault(kind="answer", status=503)])


async def test_a_test_that_fails_by_itself_is_told_as_it_is(shop):
    async def failing():
        with watched(Shop(), shop) as simulator:
            await ask(as_transport(simulator), "https://shop.test/v1/orders", BAD)
            raise KeyError

    with pytest.raises(KeyError):
        await failing()
