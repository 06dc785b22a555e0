"""django-helpdesk at the root, and its files, which a web server would serve."""

from __future__ import annotations

import mimetypes

from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path

__all__ = ["media", "urlpatterns"]


def media(_: HttpRequest, name: str) -> HttpResponse:
    """Return a file."""
    if not default_storage.exists(name):
        raise Http404
    with default_storage.open(name) as file:
        return HttpResponse(file.read(), content_type=mimetypes.guess_type(name)[0] or "application/octet-stream")


urlpatterns = [path("media/<path:name>", media), path("", include("helpdesk.urls"))]
