"""The REST API: a router per entity, and one table from errors to HTTP."""
