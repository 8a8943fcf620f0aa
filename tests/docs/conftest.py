from tests.acceptance.conftest import instance

__all__ = ["instance"]
