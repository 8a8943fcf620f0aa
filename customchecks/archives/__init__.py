"""Script archives: untrusted ones made safe, within limits."""
