"""The command line: one file per noun. A command parses, calls one service and renders."""
