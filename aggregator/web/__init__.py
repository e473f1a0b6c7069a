"""What every HTTP service of the aggregator's side shares: the one table of problems, the bound on requests."""
