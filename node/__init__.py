"""The participant: joins a federation it has checked against the chain, trains, commits, reveals, claims."""
