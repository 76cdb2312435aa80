"""What a run says: its page, its pictures with the data behind them, its device and its jobs."""
