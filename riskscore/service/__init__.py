"""The HTTP service: the function's routes, tables, and a page for people."""
