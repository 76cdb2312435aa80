"""IBM's service: the account, its devices, jobs that survive whatever breaks, sessions, and the self-test."""
