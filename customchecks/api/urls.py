"""Where the calls of ``/api/custom-checks`` are."""

from django.urls import re_path

from customchecks.api.many import BulkViewSet, DocumentViewSet
from customchecks.api.named import NamedViewSet
from customchecks.api.scripts import ScriptViewSet
from customchecks.api.views import CustomCheckLogViewSet, CustomCheckViewSet, JobDeliveriesViewSet
from teckochecker.kit.api.views import Router

JOB = r"^custom-checks/(?P<pk>[0-9]{1,18})"
CHECK = r"(?P<check_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"

urlpatterns = [
    *Router(
        ("custom-checks/bulk", BulkViewSet, "custom-checks-bulk"),
        ("custom-checks/by-name", NamedViewSet, "custom-check-by-name"),
        ("custom-checks", DocumentViewSet, "custom-checks"),
        ("custom-checks", ScriptViewSet, "custom-check-script"),
        ("custom-checks", CustomCheckViewSet, "custom-check"),
    ).urls,
    re_path(rf"{JOB}/logs/?$", CustomCheckLogViewSet.as_view({"get": "list"}), name="custom-check-logs"),
    re_path(rf"{JOB}/checks/{CHECK}/?$", CustomCheckLogViewSet.as_view({"get": "retrieve"}), name="custom-check-check"),
    re_path(rf"{JOB}/deliveries/?$", JobDeliveriesViewSet.as_view({"get": "list"}), name="custom-check-deliveries"),
]
