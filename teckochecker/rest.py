"""Who may use the API, and how its bodies are read."""

from typing import Any

from rest_framework import exceptions, parsers, permissions

from customchecks import strictjson


class ModelPermissions(permissions.DjangoModelPermissions):
    """Reading needs the view permission too."""

    perms_map = {**permissions.DjangoModelPermissions.perms_map, "GET": ["%(app_label)s.view_%(model_name)s"]}


class StrictJSONParser(parsers.JSONParser):
    """No NaN, no doubled keys, no endless depth."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            return strictjson.loads(stream.read().decode())
        except (strictjson.NotStrict, UnicodeDecodeError) as error:
            raise exceptions.ParseError(f"The body is no JSON: {error}.") from None
