"""The instance: settings, URLs and entry points, on top of everything."""
