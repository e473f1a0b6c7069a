"""Fixtures for every test; see `tests.support.chain` for the chain and the federation on it."""

pytest_plugins = ["tests.support.chain"]
