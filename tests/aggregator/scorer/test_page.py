"""The page of a scorer's API is whole without anybody else's server, and its document complete."""

import asyncio
import re
from typing import Any

import httpx

from aggregator.scorer.app import create_app

NOBODY: Any = None


def ask(*paths: str) -> list[httpx.Response]:
    async def get() -> list[httpx.Response]:
        transport = httpx.ASGITransport(create_app(NOBODY, NOBODY, NOBODY))
        async with httpx.AsyncClient(transport=transport, base_url="http://scorer") as client:
            return [await client.get(path) for path in paths]

    return asyncio.run(get())


def test_docs_work_offline() -> None:
    (page,) = ask("/docs")
    assert page.status_code == 200
    linked = re.findall(r"""(?:src|href)=["']([^"']+)["']|url: ["']([^"']+)["']""", page.text)
    paths = [one or other for one, other in linked]
    assert "/openapi.json" in paths
    assert len(paths) >= 3
    assert [path for path in paths if not path.startswith("/") or path.startswith("//")] == []
    assert {answer.status_code for answer in ask(*paths)} == {200}


def test_the_document_is_complete() -> None:
    document = create_app(NOBODY, NOBODY, NOBODY).openapi()
    assert len(document["paths"]) >= 5
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert operation["description"], path
            for content in operation["responses"]["200"]["content"].values():
                assert "example" in content or content.get("schema", {}).get("format") == "binary", path
            for parameter in operation.get("parameters", []):
                assert parameter["description"], path
