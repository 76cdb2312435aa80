"""Workers on one machine or on many, through ``concurrent.futures.Executor``, and the loop that hands them jobs."""
