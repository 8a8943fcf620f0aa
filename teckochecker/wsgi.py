"""The WSGI application that the web server serves."""

import os

from django.core.wsgi import get_wsgi_application

from teckochecker.web.error_pages import LastResort

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "teckochecker.settings")
application = LastResort(get_wsgi_application())
