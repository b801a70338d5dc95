"""PostgreSQL, the Lambda emulator and simulated ledgers without Docker; nothing of it is on the way of a score."""
