"""Fairness of scores by group, as an audit."""
