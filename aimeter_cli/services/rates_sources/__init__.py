"""Where rates come from: named sources, addresses and files, and the documents that they are."""
