"""IBM's quantum service: the account, its devices, jobs that survive any interruption, sessions, and the self-test."""
