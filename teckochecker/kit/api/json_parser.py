"""JSON as the API takes it, in a body and in the part ``config`` of a form."""

import json
from typing import Any

from rest_framework import exceptions, parsers

from teckochecker.kit import strict_json

MOST_FIELDS = 100  # no call has half as many, and every one that there is not is answered by its name


def load_object(text: str) -> dict[str, Any]:
    """Raises strictjson.NotStrict. NUL and lone surrogates are kept, so that a field can refuse them by its name."""
    read = strict_json.loads(text)
    if not isinstance(read, dict):
        raise strict_json.NotStrict("it is not an object")
    if len(read) > MOST_FIELDS:
        raise strict_json.NotStrict(f"it has more than {MOST_FIELDS} fields")
    found: dict[str, Any] = json.loads(text)
    return found


class StrictJSONParser(parsers.JSONParser):
    """No NaN, no doubled keys, bounded depth and numbers."""

    renderer_class: Any = None  # a page fills its form with what the document says

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        try:
            return load_object(stream.read().decode())
        except UnicodeDecodeError:
            raise exceptions.ParseError("The body is not UTF-8.") from None
        except strict_json.NotStrict as error:
            raise exceptions.ParseError(f"The body is not JSON that can be used: {error}.") from None
