"""Fixtures for every test; see `tests.support.chain` for the chain and the federation on it."""

import pytest

_LONG = ("tests/system/", "tests/docs/", "tests/aggregator/service/", "tests/aggregator/scorer/", "tests/node/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes comes first: a file's tests stay in one process, and the last files should keep none alone at work."""
    places = {folder: place for place, folder in enumerate(_LONG)}
    items.sort(key=lambda item: next((place for folder, place in places.items() if item.nodeid.startswith(folder)), len(_LONG)))


pytest_plugins = ["tests.support.chain"]
