"""Reports on a run: its page, its pictures with the data behind them, its device and its jobs."""
