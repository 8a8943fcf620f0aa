"""Every path with and without its final slash."""

from django.urls import re_path

from customchecks.api.views import CustomCheckViewSet

VERBS = ("pause", "resume", "trigger", "restart")
JOB = r"^custom-checks/(?P<pk>\d{1,18})"

urlpatterns = [
    re_path(r"^custom-checks/?$", CustomCheckViewSet.as_view({"get": "list", "post": "create"}), name="custom-checks"),
    re_path(
        rf"{JOB}/?$",
        CustomCheckViewSet.as_view({"get": "retrieve", "put": "update", "patch": "update", "delete": "destroy"}),
        name="custom-check",
    ),
    re_path(rf"{JOB}/logs/?$", CustomCheckViewSet.as_view({"get": "logs"}), name="custom-check-logs"),
    re_path(rf"{JOB}/script/upload/?$", CustomCheckViewSet.as_view({"post": "upload"}), name="custom-check-upload"),
    *(
        re_path(rf"{JOB}/{verb}/?$", CustomCheckViewSet.as_view({"post": verb}), name=f"custom-check-{verb}")
        for verb in VERBS
    ),
]
