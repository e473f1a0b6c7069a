"""The API's form: problem documents for everything that goes wrong, a complete OpenAPI document, and reads by every name."""

import asyncio
import inspect
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from aggregator import refusals
from aggregator.errors import BlobMissing, Refusal
from aggregator.service.api.app import create_app
from aggregator.service.views import Views
from aggregator.web.problems import TABLE, row_of
from learning.source import TaskSource
from ledger.errors import ChainUnavailable
from protocol.api import Problem
from protocol.catalogue import REFUSALS
from protocol.config import parse_config
from protocol.errors import BodyError
from tests.aggregator.service.support import JOINED, Service, problem
from tests.support.chain import account

NO_MIRROR: Any = None


class BrokenViews(Views):
    """Stands for a fault of our own."""

    def __init__(self) -> None:
        self.error: Exception = RuntimeError("a secret")

    def federation(self) -> Any:
        raise self.error


def test_every_refusal_has_its_own_row_in_the_table() -> None:
    leaves = [
        kind
        for _, kind in inspect.getmembers(refusals, inspect.isclass)
        if issubclass(kind, Refusal) and not kind.__subclasses__() and kind is not Refusal
    ]
    assert len(leaves) > 15
    assert [kind for kind in leaves if kind not in TABLE] == []


def test_codes_are_unique_and_every_row_is_an_error() -> None:
    codes = [row.code for row in TABLE.values()]
    assert len(set(codes)) == len(codes)
    assert all(row.status >= 400 for row in TABLE.values())


def test_the_nearest_class_decides() -> None:
    assert row_of(BodyError("x")).code == "undecodable-body"
    assert row_of(BlobMissing(b"x")).code == "blob-unavailable"
    assert row_of(ChainUnavailable("x", "y")).status == 503
    assert row_of(KeyError("x")).code == "internal"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "unknown-page"),
        ("GET", "/v1/rounds/", 404, "unknown-page"),
        ("DELETE", "/v1/rounds", 405, "method-not-allowed"),
        ("GET", "/v1/rounds/2", 404, "unknown-round"),
        ("GET", "/v1/rounds/0", 422, "bad-request"),
        ("GET", f"/v1/rounds/{1 << 63}", 422, "bad-request"),
        ("GET", "/v1/rounds/x/scores", 422, "bad-request"),
        ("GET", "/v1/nodes/99", 404, "unknown-node"),
        ("GET", "/v1/nodes/-1", 404, "unknown-node"),
        ("GET", "/v1/nodes/99999999999999999999", 404, "unknown-node"),
        ("GET", "/v1/nodes/0x" + "1" * 40, 404, "unknown-node"),
        ("GET", "/v1/nodes/0x" + "g" * 40 + "/rewards", 404, "unknown-node"),
        ("GET", "/v1/models/0x" + "1" * 64, 404, "unknown-model"),
        ("GET", "/v1/models/..", 404, "unknown-page"),
        ("GET", "/v1/models/0x12", 422, "bad-request"),
        ("POST", "/v1/rounds/1/updates", 422, "bad-request"),
    ],
)
def test_every_error_is_a_problem_document(standing: Service, method: str, path: str, status: int, code: str) -> None:
    answer = standing.client._http.request(method, path)
    assert answer.headers["content-type"] == "application/problem+json"
    told = Problem.model_validate_json(answer.content)
    assert (answer.status_code, told.status, told.type) == (status, status, f"urn:fairshare:problem/{code}")
    assert (told.title, told.next_step) == REFUSALS[code][1:]
    assert told.detail


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [(b"x" * ((1 << 16) + 1), 413, "too-large"), (iter([b"x"]), 411, "length-required"), (b"x" * (1 << 16), 422, "bad-request")],
    ids=["too large", "no length", "largest"],
)
def test_a_request_that_would_fill_the_memory_is_not_read(
    standing: Service, content: bytes | Iterator[bytes], status: int, code: str
) -> None:
    answer = standing.client._http.post("/v1/rounds/1/updates", content=content)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (status, code)


def test_a_fault_of_our_own_is_a_problem_too_and_tells_nothing() -> None:
    transport = httpx.ASGITransport(create_app(BrokenViews(), NO_MIRROR), raise_app_exceptions=False)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/v1/federation")

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "secret" not in answer.text


def test_blobs_that_nobody_may_see_are_no_models(standing: Service) -> None:
    settings = standing.stage.home.settings()
    for name in (settings.root_set, *settings.shards, standing.stage.ledger.config_hash()):
        assert standing.context.blobs.has(name)
        assert problem(partial(standing.client.model, name)) == (404, "unknown-model")


def test_the_federation_and_its_files_are_those_on_chain(standing: Service) -> None:
    ledger, view = standing.stage.ledger, standing.client.federation()
    assert (view.chain_id, view.ledger) == (ledger.domain.chain_id, ledger.domain.ledger)
    assert (view.registry, view.token, view.token_symbol) == (ledger.registry_address, ledger.token_address, "TEST")
    assert (view.pool, view.last_round, view.latest_final, view.node_count) == (ledger.pool(), 1, 0, JOINED)
    assert parse_config(standing.client.config().toml).sha256() == view.config_hash == ledger.config_hash()
    task = standing.client.task()
    assert TaskSource.from_texts(task.entry, task.files).sha256() == view.task_hash == ledger.task_hash()
    assert standing.client.model(ledger.round(0).model_hash)


def test_nodes_are_found_by_index_and_by_owner_in_any_spelling(standing: Service) -> None:
    address = account("owner 1").address
    by_index = standing.client.node(1)
    assert by_index == standing.client.node(address) == standing.client.node(address.lower())
    assert by_index in standing.client.nodes()
    assert (by_index.address, by_index.stake, by_index.eligible) == (address, standing.stage.ledger.minimum_stake(), True)
    assert standing.client.rewards(address.lower()).earned == 0


def test_a_model_is_cached_for_ever(standing: Service) -> None:
    answer = standing.client._http.get("/v1/models/0x" + standing.context.federation.genesis_model.hex())
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"] == "application/octet-stream"


def test_the_openapi_document_is_complete() -> None:
    document = create_app(BrokenViews(), NO_MIRROR).openapi()
    assert len(document["paths"]) == 22
    tags = {tag["name"] for tag in document["tags"]}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert operation["description"], path
            assert set(operation["tags"]) <= tags, path
            for content in operation["responses"]["200"]["content"].values():
                assert "example" in content or content.get("schema", {}).get("format") == "binary", path
            problems = {code: answer for code, answer in operation["responses"].items() if code != "200"}
            assert path == "/healthz" or "503" in problems, path
            for answer in problems.values():
                if "application/problem+json" in answer["content"]:
                    assert answer["content"]["application/problem+json"]["examples"], path
            for parameter in operation.get("parameters", []):
                assert parameter["description"], path


def test_the_page_of_the_api_needs_nobody_elses_server(standing: Service) -> None:
    http = standing.client._http
    page = http.get("/docs")
    assert page.status_code == 200
    linked = re.findall(r"""(?:src|href)=["']([^"']+)["']|url: ["']([^"']+)["']""", page.text)
    paths = [one or other for one, other in linked]
    assert "/openapi.json" in paths
    assert len(paths) >= 3
    for path in paths:
        assert path.startswith("/"), f"{path} is another server's"
        assert not path.startswith("//")
        assert http.get(path).status_code == 200
    assert "https://cdn" not in page.text
