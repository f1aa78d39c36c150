"""The billing rules, pure: no session, clock, settings or I/O; ``now`` is an argument."""
