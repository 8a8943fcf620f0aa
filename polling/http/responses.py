"""What a service has answered, which may be anything."""

import json
from collections.abc import Mapping
from typing import Any


def json_object(body: bytes | str) -> Mapping[str, Any]:
    """Empty where it is no JSON object, or one that is nested without end."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
