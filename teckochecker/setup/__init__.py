"""Sets the project up on a fresh machine.

Standard library only, and nothing of our other packages: most of it runs before ``.venv`` exists.
"""
