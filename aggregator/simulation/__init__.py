"""Federations without chain or network: simulated nodes, honest and malicious, whose rounds the real `evaluate_round` decides."""
