"""Whole federations of real processes."""
