"""One run of one script in one hardened container."""
