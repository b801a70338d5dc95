"""Simulated sample files, one module per model: no real person, customer or shop is in them.

Each module's `write(folder, rows, seed, separator)` writes the files that its model trains from and returns their
paths. Only `random.Random` and tables of numbers are drawn from, and every number is rounded as it is written, so one
seed gives the same bytes again. separator: of CSV files; a module that writes none ignores it.
"""
