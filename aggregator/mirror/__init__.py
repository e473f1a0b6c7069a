"""A mirror: whoever serves the evidence of rounds, the aggregator and every scorer, does it with these routes."""
