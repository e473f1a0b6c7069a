"""The aggregator: `evaluation` decides (a pure core), `service` keeps it running, `scorer` replays what it decided."""
