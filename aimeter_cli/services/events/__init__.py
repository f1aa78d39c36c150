"""What happened, told to listeners in this process and to sinks outside."""
