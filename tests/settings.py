"""The product's settings in a folder of their own, with test databases on disk, where the product has its own.

``TECKO_HOME`` decides the folder; ``script/test`` sets it, anything else gets ``var/test``.
"""

import os
from pathlib import Path

from teckochecker.setup import home

_home = home.folder(os.environ, default=home.BASE_DIR / "var" / "test")
os.environ["TECKO_HOME"] = str(_home)
home.ensure(_home, os.environ)
# Thousands of calls a minute, many of them without a login; what tests of the limits want they set
os.environ |= {"TECKO_REQUESTS_PER_MINUTE": "1000000", "TECKO_FAILED_LOGINS_PER_MINUTE": "1000000"}
# Processes that tests start are the product itself
os.environ["DJANGO_SETTINGS_MODULE"] = "teckochecker.settings"

from teckochecker.settings import *  # noqa: E402, F403

# A third kind of job, which the product's own code does not know
INSTALLED_APPS = [*globals()["INSTALLED_APPS"], "tests.kinds"]

# In memory SQLite has other locks than on disk, and no WAL; the process id keeps runs side by side apart
DATABASES = globals()["DATABASES"]
if DATABASES["default"]["ENGINE"] == "teckochecker.kit.counted_sqlite3":
    for _left in _home.glob("test-*.sqlite3*"):
        if not Path("/proc", _left.name.removeprefix("test-").split(".")[0]).exists():
            _left.unlink(missing_ok=True)
    DATABASES["default"]["TEST"] = {"NAME": str(_home / f"test-{os.getpid()}.sqlite3")}

# A hash that takes its time is what production wants, and every test that logs somebody in would wait for
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Each of Django's test clients would look through hundreds of files; web servers have the product's folder
STATIC_ROOT = _home / "no-static"
STATIC_ROOT.mkdir(exist_ok=True)
_plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # needs no list of what was collected
STORAGES = globals()["STORAGES"] | {"staticfiles": _plain}

# Where the process is to be killed: see polling/base/crash_points.py
TECKO_CRASH_AT = os.environ.get("TECKO_CRASH_AT")

# Two processes of one suite must not count each other's calls and wrong passwords
THROTTLE_FOLDER = _home / "cache" / f"throttles-{os.getpid()}"
for _cache in globals()["CACHES"].values():
    _cache["LOCATION"] = f"{_cache['LOCATION']}-{os.getpid()}"
