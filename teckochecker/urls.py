"""Where everything is served."""

from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from teckochecker.api import documentation, errors, health

FAVICON = "teckochecker/favicon.png"


def favicon(request: HttpRequest) -> HttpResponseBase:
    """Browsers ask for it on their own: on pages that name none, and beside JSON."""
    return redirect(static(FAVICON))


admin.site.site_header = admin.site.site_title = "TeckoChecker"
urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("favicon.ico", favicon),
    path("admin/", admin.site.urls),
    path("api/", include("customchecks.api.urls")),
    path("api/", include("polling.site.deliveries_api")),
    path("api/", include("polling.site.group_api")),
    path("api/", include("polling.site.legacy_api")),
    path("api/admin/", include("secrets_app.api")),
    re_path(r"^api/health/?$", health.HealthView.as_view(), name="health"),
    re_path(r"^api/schema/?$", documentation.SchemaView.as_view(), name="schema"),
    re_path(r"^api/docs/?$", documentation.Page.as_view(template="reference/swagger.html"), name="docs"),
    re_path(r"^api/redoc/?$", documentation.Page.as_view(template="reference/redoc.html"), name="redoc"),
    path("api/", include("teckochecker.api.tokens")),
    path("api/", include("teckochecker.api.audit")),
    re_path(r"^metrics/?$", errors.Metrics.as_view(), name="metrics"),
]
handler400 = "teckochecker.api.errors.bad_request"
handler403 = "teckochecker.api.errors.forbidden"
handler404 = "teckochecker.api.errors.not_found"
handler500 = "teckochecker.api.errors.failed"
