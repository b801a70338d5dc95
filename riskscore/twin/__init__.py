"""The portable twin of a model and its exact contributions, by the standard library alone."""
