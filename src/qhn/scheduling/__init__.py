"""Schedulers that pause, promote and stop trials, and studies of trials of any kind, with a journal."""
