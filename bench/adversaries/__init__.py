"""What dishonest participants, scorers and aggregators gain: `make bench-adversaries`."""
