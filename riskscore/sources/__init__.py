"""Rows from wherever they lie: files, SQLite, DuckDB, PostgreSQL; and what is wrong with them."""
