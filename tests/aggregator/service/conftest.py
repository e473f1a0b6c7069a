"""Fixtures of the service's tests, see `support`."""

from tests.aggregator.service.support import founded, served, stage

__all__ = ["founded", "served", "stage"]
