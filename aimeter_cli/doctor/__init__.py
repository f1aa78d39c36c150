"""``aimeter doctor``: is everything there that the main job needs, and if not, what to type."""
