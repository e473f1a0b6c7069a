"""Calibration of the gate: simulated federations, honest and attacked, from which fusion weights and thresholds follow."""
