"""A Dockerfile for each runtime, and the launcher: the main process of every sandbox."""
