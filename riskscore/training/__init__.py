"""From checked rows to a model folder: search, fit, validate, prove, write."""
