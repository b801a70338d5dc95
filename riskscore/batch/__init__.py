"""Many rows: files scored."""
