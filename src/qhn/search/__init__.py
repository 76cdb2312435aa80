"""Many trials at the cost of few: schedulers that pause, promote and stop them, and the studies they schedule."""
