"""An event on its way to its answer."""
