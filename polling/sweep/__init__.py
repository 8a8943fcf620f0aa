"""The loop that runs checks on a host, and what keeps it running."""
