"""Models that somebody else trained: what their file would do, whether it fits a contract, and what it becomes."""
