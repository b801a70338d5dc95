"""A model's features: their types, limits and spellings, and the columns that the estimator sees."""
