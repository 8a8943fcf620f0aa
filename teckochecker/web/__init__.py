"""The web server: its limits, its answers before and after Django."""
