"""Use cases. They own transactions; no network call is made inside one."""
