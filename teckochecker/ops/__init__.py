"""Running an instance: environment, logs, start-up checks, the supervisor of its processes."""
