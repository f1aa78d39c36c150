"""``make bench-full``: what aimeter costs at scale; each part ends within ten minutes."""
