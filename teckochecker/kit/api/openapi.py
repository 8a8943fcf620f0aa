"""How views describe their calls beyond what drf-spectacular reads of them: examples, headers, refusals.

A serializer shows its ``example``, a dict of all its fields.
"""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiRequest, OpenApiResponse
from rest_framework import serializers


def such_as(about: str, example: Any) -> str:
    """The example is words: Swagger UI fills in any other, and would narrow a call that somebody only tries."""
    shown = str(example).lower() if isinstance(example, bool) else example
    return f"{about} Such as `{shown}`."


def query(name: str, about: str, *, example: Any, **schema: Any) -> OpenApiParameter:
    """A parameter that no filter stands for; ``schema`` is JSON schema."""
    return OpenApiParameter(name, {"type": "string", **schema}, description=such_as(about, example))


def header(name: str, about: str, *statuses: int) -> OpenApiParameter:
    """Of the answers with these statuses, or without any of the call."""
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, description=about, response=list(statuses) or False)


def refused(*statuses: int) -> dict[int, Any]:
    """Errors that a call answers, for ``responses``; those that its form implies are added to the document."""
    return dict.fromkeys(statuses, ErrorSerializer)


def answer(shape: Any, example: Any) -> OpenApiResponse:
    """With an example of this call's own."""
    return OpenApiResponse(shape, examples=[OpenApiExample("Example", example)])


def body(shape: Any, example: Any) -> OpenApiRequest:
    """With an example of this call's own."""
    return OpenApiRequest(shape, examples=[OpenApiExample("Example", example)])


class ErrorSerializer(serializers.Serializer[Any]):
    detail = serializers.CharField(help_text="A sentence that can be shown.")
    errors = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="What is wrong with the input: field to messages; `non_field_errors` for all of it.",
    )  # type: ignore[assignment]  # the name is a property too


WARNING = header("Warning", "That others have the name, and their numbers; only where that is so.", 200, 201)
