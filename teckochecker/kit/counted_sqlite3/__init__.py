"""Django's database engine for SQLite, whose queries django-prometheus counts."""
