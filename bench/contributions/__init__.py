"""How near to exact Shapley values the estimators come, at what cost, beside the published ones: `make bench-contributions`."""
