"""Who earned what: the game, the designs that estimate its Shapley values, their standard errors, and the pay."""
