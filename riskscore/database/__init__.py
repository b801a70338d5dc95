"""The only place that opens a database to read it: the model's SQL, run read-only, and dumps of its rows."""
