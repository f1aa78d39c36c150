"""The chaos run (``make chaos``): processes die, requests fail, and every overage is charged once.

``scenario`` is who is billed and what goes wrong, ``actors`` are the people, ``crew`` the processes
and what is done to them, ``story`` plays it; ``books`` and ``oracle`` judge by the sandbox's own
objects. ``control`` is a plain loop that the same oracle must find out.
"""
