"""What the views of all apps have in common: their base, and the router that gives them their paths."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from drf_spectacular.utils import extend_schema
from rest_framework import routers
from rest_framework.decorators import action
from rest_framework.viewsets import GenericViewSet

Model = TypeVar("Model", bound=Any)


class ViewSet(GenericViewSet[Model]):
    """``needs`` is the permission, where the method does not tell it; ``invalid`` the status for wrong input."""

    lookup_value_regex = "[0-9]{1,18}"
    needs: str | None = None
    invalid = 400


def change(
    url_path: str | None = None,
    *,
    responses: Any,
    request: Any = None,
    parameters: Sequence[Any] = (),
    **options: Any,
) -> Callable[[Any], Any]:
    """A POST that changes what its path names, and its description; the path ends with the function's name."""
    add = action(detail=True, methods=["post"], url_path=url_path, **{"needs": "change", **options})
    describe = extend_schema(request=request, responses=responses, parameters=parameters)
    return lambda function: describe(add(function))


class Router(routers.SimpleRouter):
    """Every path with and without its final slash."""

    routes = [
        routers.Route(
            url="^{prefix}{trailing_slash}$",
            mapping={"get": "list", "post": "create", "delete": "destroy_this"},
            name="{basename}-list",
            detail=False,
            initkwargs={},
        ),
        *routers.SimpleRouter.routes[1:],
    ]

    def __init__(self, *views: tuple[str, type[GenericViewSet[Any]], str]) -> None:
        """``views`` are the path, the viewset, and the stem of its URLs' names: ``stem-list``, ``stem-detail``."""
        super().__init__()
        self.trailing_slash = "/?"
        for prefix, viewset, basename in views:
            self.register(prefix, viewset, basename=basename)
