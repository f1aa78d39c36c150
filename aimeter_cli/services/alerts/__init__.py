"""What needs a person: conditions, the alerts that they open and close, and their listing."""
