"""Every path with and without its final slash."""

from django.urls import re_path
from rest_framework.parsers import MultiPartParser

from customchecks.api.views import CustomCheckLogViewSet, CustomCheckViewSet
from customchecks.api.webhooks import WebhookViewSet

VERBS = ("pause", "resume", "trigger", "restart")
JOB = r"^custom-checks/(?P<pk>[0-9]{1,18})"

_one = CustomCheckViewSet.as_view({"get": "retrieve", "put": "update", "patch": "update", "delete": "destroy"})
_upload = CustomCheckViewSet.as_view({"post": "upload"}, needs="change", parser_classes=[MultiPartParser])

urlpatterns = [
    re_path(r"^custom-checks/?$", CustomCheckViewSet.as_view({"get": "list", "post": "create"}), name="custom-checks"),
    re_path(rf"{JOB}/?$", _one, name="custom-check"),
    re_path(rf"{JOB}/logs/?$", CustomCheckLogViewSet.as_view({"get": "list"}), name="custom-check-logs"),
    re_path(rf"{JOB}/script/upload/?$", _upload, name="custom-check-upload"),
    re_path(rf"{JOB}/webhook/test/?$", WebhookViewSet.as_view({"post": "test"}), name="custom-check-webhook-test"),
    *(
        re_path(
            rf"{JOB}/{verb}/?$", CustomCheckViewSet.as_view({"post": verb}, needs="change"), name=f"custom-check-{verb}"
        )
        for verb in VERBS
    ),
]
