"""What all sides say to each other: formats, hashes, signatures and the HTTP client. No torch, no chain, no state."""
