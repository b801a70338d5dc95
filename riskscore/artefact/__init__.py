"""Model folders: checked, then loaded; signed, published, fetched."""
