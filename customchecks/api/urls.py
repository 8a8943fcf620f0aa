"""Every path with and without its final slash."""

from django.urls import re_path
from rest_framework.parsers import MultiPartParser

from customchecks.api.many import BulkViewSet, ExportViewSet, ImportViewSet
from customchecks.api.named import NamedViewSet
from customchecks.api.scripts import ScriptViewSet
from customchecks.api.views import CustomCheckLogViewSet, CustomCheckViewSet
from customchecks.api.webhooks import JobDeliveriesViewSet, WebhookViewSet
from customchecks.jobs import bulk

VERBS = ("pause", "resume", "trigger", "restart", "test")
BULK_NEEDS = {"delete": "delete"}
SCRIPT_VERBS = ("git", "rollback", "pin", "unpin")
JOB = r"^custom-checks/(?P<pk>[0-9]{1,18})"
CHECK = r"(?P<check_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"

_one = CustomCheckViewSet.as_view({"get": "retrieve", "put": "update", "patch": "update", "delete": "destroy"})
_upload = CustomCheckViewSet.as_view({"post": "upload"}, needs="change", parser_classes=[MultiPartParser])

urlpatterns = [
    re_path(r"^custom-checks/?$", CustomCheckViewSet.as_view({"get": "list", "post": "create"}), name="custom-checks"),
    re_path(r"^custom-checks/export/?$", ExportViewSet.as_view({"get": "export"}), name="custom-checks-export"),
    re_path(
        r"^custom-checks/import/?$",
        ImportViewSet.as_view({"post": "load"}, needs="change"),
        name="custom-checks-import",
    ),
    *(
        re_path(
            rf"^custom-checks/bulk/{action}/?$",
            BulkViewSet.as_view({"post": "run"}, action_name=action, needs=BULK_NEEDS.get(action, "change")),
            name=f"custom-checks-bulk-{action}",
        )
        for action in bulk.ACTIONS
    ),
    re_path(
        r"^custom-checks/by-name/(?P<name>.+?)/?$",
        NamedViewSet.as_view({"get": "retrieve", "put": "replace"}),
        name="custom-check-by-name",
    ),
    re_path(rf"{JOB}/clone/?$", NamedViewSet.as_view({"post": "clone"}), name="custom-check-clone"),
    re_path(rf"{JOB}/?$", _one, name="custom-check"),
    re_path(rf"{JOB}/logs/?$", CustomCheckLogViewSet.as_view({"get": "list"}), name="custom-check-logs"),
    re_path(rf"{JOB}/checks/{CHECK}/?$", CustomCheckLogViewSet.as_view({"get": "retrieve"}), name="custom-check-check"),
    re_path(rf"{JOB}/script/upload/?$", _upload, name="custom-check-upload"),
    re_path(rf"{JOB}/script/info/?$", ScriptViewSet.as_view({"get": "info"}), name="custom-check-script"),
    re_path(rf"{JOB}/script/versions/?$", ScriptViewSet.as_view({"get": "versions"}), name="custom-check-versions"),
    *(
        re_path(
            rf"{JOB}/script/{verb}/?$",
            ScriptViewSet.as_view({"post": verb}, needs="change"),
            name=f"custom-check-{verb}",
        )
        for verb in SCRIPT_VERBS
    ),
    re_path(rf"{JOB}/deliveries/?$", JobDeliveriesViewSet.as_view({"get": "list"}), name="custom-check-deliveries"),
    re_path(rf"{JOB}/webhook/test/?$", WebhookViewSet.as_view({"post": "test"}), name="custom-check-webhook-test"),
    *(
        re_path(
            rf"{JOB}/{verb}/?$", CustomCheckViewSet.as_view({"post": verb}, needs="change"), name=f"custom-check-{verb}"
        )
        for verb in VERBS
    ),
]
