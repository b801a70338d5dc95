"""A first model.toml for any labelled table, drafted to be read over."""
