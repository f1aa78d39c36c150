"""``make bench``: what aimeter costs, each figure a ratio to a bare program in the same run."""
