"""Fixtures of the service's tests, see `support`."""

from tests.aggregator.service.support import founded, served, stage, standing

__all__ = ["founded", "served", "stage", "standing"]
