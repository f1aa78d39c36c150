"""What models cost: the configuration, and a maintained library under it."""
