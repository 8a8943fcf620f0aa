"""Users' Git repositories: fetched within limits, never checked out."""
