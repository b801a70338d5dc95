"""What people decide about a model, as checked values of model.toml and reasons.toml."""
