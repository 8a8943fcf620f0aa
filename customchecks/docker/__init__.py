"""The Docker Engine, and the one place that says what a container may do."""
