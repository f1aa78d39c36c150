"""``make demo``: the main job of aimeter from an empty folder to an invoice, on the sandbox."""
