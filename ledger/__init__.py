"""Python's side of the chain: artifacts, deployment, wallet, local chain, typed client, event index."""
