"""The WSGI application that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

from teckochecker.lastresort import LastResort

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "teckochecker.settings")
application = LastResort(get_wsgi_application())
