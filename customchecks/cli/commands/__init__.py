"""The subcommands of ``manage.py customcheck``, by what they are about."""
