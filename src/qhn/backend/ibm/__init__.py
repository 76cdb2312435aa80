"""IBM's quantum service: the account, its devices and client, sessions, and what its answers and failures mean."""
