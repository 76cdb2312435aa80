"""Studies of runs: the best of many, or the distribution of all, at the cost of few."""
