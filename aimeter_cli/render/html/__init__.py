"""A report as one HTML page: self-contained, without script, text from outside always escaped."""
