"""The scorer: replays a round from its evidence with the same pure core, and signs only what it got itself."""
