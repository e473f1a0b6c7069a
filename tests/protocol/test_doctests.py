"""The examples in the docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import protocol

MODULES = [f"protocol.{module.name}" for module in pkgutil.iter_modules(protocol.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name: str):
    assert doctest.testmod(importlib.import_module(name), raise_on_error=False).failed == 0


def test_there_are_examples():
    attempted = {name: doctest.testmod(importlib.import_module(name)).attempted for name in MODULES}
    assert attempted["protocol.shares"] >= 2
