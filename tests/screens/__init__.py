"""Every list and show command as terminals of 80 and 160 columns and a pipe get it: golden files.

``python -m tests.screens --write`` makes them anew; look at the difference before you keep it.
"""
