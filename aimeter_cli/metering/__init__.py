"""What an application imports: metered calls, checks, streams, the quota middleware.

The names for applications are those of ``aimeter_cli`` itself.
"""
