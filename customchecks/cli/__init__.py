"""``manage.py customcheck``."""
