"""Django settings: wiring only. Every ``TECKO_…`` variable is described in ``docs/operations.md``."""

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from teckochecker.ops import env, instance_id, setting_values
from teckochecker.setup import privacy

BASE_DIR = Path(__file__).resolve().parent.parent
TECKO_HOME = env.home_folder(BASE_DIR)
privacy.close(TECKO_HOME)
TECKO_INSTANCE = instance_id.instance_id(TECKO_HOME)
_read = env.Reader(TECKO_HOME)

# Else GitPython cannot even be imported where there is no git; doctor says that it is missing
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

# Who and where
VERSION = "1.0.0"
TECKO_HOST = _read.parsed(
    "TECKO_HOST", "127.0.0.1", setting_values.host, "Use a host name or an address without brackets."
)
TECKO_PORT = _read.whole("TECKO_PORT", 8000, 1, 65535)
TECKO_PUBLIC_URL = _read.parsed(
    "TECKO_PUBLIC_URL",
    f"http://{setting_values.in_brackets(TECKO_HOST)}:{TECKO_PORT}",
    setting_values.web_origin,
    "Use http:// or https:// and a host, without a path.",
)
TECKO_HSTS = _read.parsed("TECKO_HSTS", "host", setting_values.hsts, f"Use one of {', '.join(setting_values.HSTS)}.")
TECKO_LOG_LEVEL = _read.parsed(
    "TECKO_LOG_LEVEL", "INFO", setting_values.log_level, f"Use one of {', '.join(setting_values.LOG_LEVELS)}."
)

# Who may how often
TECKO_REQUESTS_PER_MINUTE = _read.whole("TECKO_REQUESTS_PER_MINUTE", 600, 1, 1_000_000)
TECKO_FAILED_LOGINS_PER_MINUTE = _read.whole("TECKO_FAILED_LOGINS_PER_MINUTE", 60, 1, 1_000_000)
TECKO_LOGIN_ATTEMPTS = _read.whole("TECKO_LOGIN_ATTEMPTS", 10, 1, 1000)
TECKO_LOGIN_LOCKOUT_SECONDS = _read.whole("TECKO_LOGIN_LOCKOUT_SECONDS", 300, 1, 86_399)
TECKO_PROXIES = _read.whole("TECKO_PROXIES", 0, 0, 10)

# Checks
TECKO_MAX_CONCURRENT_CHECKS = _read.whole("TECKO_MAX_CONCURRENT_CHECKS", 50, 1, 500)
TECKO_SPARE_CONTAINERS = _read.whole("TECKO_SPARE_CONTAINERS", 4, 0, 50)
TECKO_CA_BUNDLE = _read.text("TECKO_CA_BUNDLE", env.host_ca_bundle())
_AN_URL = "Use an address that begins with http:// or https://."
TECKO_PIP_INDEX_URL = _read.parsed("TECKO_PIP_INDEX_URL", "", setting_values.web_url, _AN_URL)
TECKO_NPM_REGISTRY = _read.parsed("TECKO_NPM_REGISTRY", "", setting_values.web_url, _AN_URL)
TECKO_EGRESS_ALLOW = _read.words("TECKO_EGRESS_ALLOW")
TECKO_SUBNET = _read.parsed(
    "TECKO_SUBNET", "", setting_values.subnet, "Use an IPv4 network of at least 64 addresses, such as 10.213.0.0/24."
)
TECKO_UNPROTECTED_NETWORK = _read.parsed("TECKO_UNPROTECTED_NETWORK", False, setting_values.yes_or_no, "Use yes or no.")
TECKO_WEBHOOK_ALLOW = _read.words("TECKO_WEBHOOK_ALLOW")
TECKO_ALERT_URL = _read.text("TECKO_ALERT_URL")
TECKO_OPENAI_URL = _read.text("TECKO_OPENAI_URL", "https://api.openai.com")
TECKO_PYTHON_BASE = _read.text("TECKO_PYTHON_BASE")
TECKO_NODE_BASE = _read.text("TECKO_NODE_BASE")
TECKO_MIN_FREE_MB = _read.whole("TECKO_MIN_FREE_MB", 200, 0, 1_000_000)
TECKO_DEPS_CACHE_MB = _read.whole("TECKO_DEPS_CACHE_MB", 5000, 100, 1_000_000)
TECKO_DEPS_INSTALL_SECONDS = _read.whole("TECKO_DEPS_INSTALL_SECONDS", 300, 10, 3600)

# Keys: TECKO_KEYS is "kid:base64,kid:base64"; the first encrypts, all decrypt
TECKO_SECRET_KEY = _read.text("TECKO_SECRET_KEY")
SECRET_KEY = TECKO_SECRET_KEY
TECKO_KEYS = _read.words("TECKO_KEYS")

DEBUG = False
_own_hosts = {TECKO_HOST, urlsplit(TECKO_PUBLIC_URL).hostname or TECKO_HOST} - {"0.0.0.0", "::"}  # noqa: S104
ALLOWED_HOSTS = _read.parsed(
    "TECKO_ALLOWED_HOSTS",
    sorted({"127.0.0.1", "localhost", "[::1]", *map(setting_values.in_brackets, _own_hosts)}),
    setting_values.host_patterns,
    "List host names or addresses, such as tecko.example.com, without http:// and without a port.",
)
ROOT_URLCONF = "teckochecker.urls"
WSGI_APPLICATION = "teckochecker.wsgi.application"
APPEND_SLASH = False

INSTALLED_APPS = [
    "teckochecker",
    "customchecks",
    "polling",
    "secrets_app",
    "secrets_app.access",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_prometheus",
    "django_q",
    "django_structlog",
    "django_typer",
    "axes",
    "auditlog",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "teckochecker.web.https.RedirectMiddleware",
    "teckochecker.web.caches.UnstoredAnswers",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "teckochecker.access.auditing.ActorMiddleware",
    "axes.middleware.AxesMiddleware",
    "teckochecker.api.query_parameters.KnownParameters",
    "teckochecker.web.admin_lists.BoundedLists",
    "teckochecker.web.request_metrics.CountRequests",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Database: with SQLite's defaults 147 of 500 concurrent tasks were lost; with these, none
_database = _read.parsed(
    "DATABASE_URL",
    setting_values.database(f"sqlite:///{TECKO_HOME / 'teckochecker.sqlite3'}"),
    setting_values.database,
    "Use sqlite:///PATH or postgres://USER:PASSWORD@HOST/NAME.",
)
TECKO_DATABASE_NAMED = bool(_read.text("DATABASE_URL"))
DATABASES = {"default": _database}
DATABASES["default"]["CONN_MAX_AGE"] = 600
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["ENGINE"] = "teckochecker.kit.counted_sqlite3"
    _options = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;",
    }
else:
    DATABASES["default"]["ENGINE"] = "django_prometheus.db.backends.postgresql"
    # A server that has gone without a word is noticed in seconds, and not when TCP gives up
    _options = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
    _options["tcp_user_timeout"] = 25_000
# DATABASE_URL can change them: sqlite:///PATH?timeout=5, postgres://…?sslmode=require
DATABASES["default"]["OPTIONS"] = _options | DATABASES["default"].get("OPTIONS", {})
TECKO_SETTING_FAULTS = _read.faults
TECKO_UNKNOWN_SETTINGS = _read.unknown()
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Shared between processes: qinfo and qmonitor see a cluster only through it, and so does the sweep
CACHES = {
    "default": {
        "BACKEND": "django_prometheus.cache.backends.filebased.FileBasedCache",
        "LOCATION": str(TECKO_HOME / "cache"),
    },
    "logins": {
        "BACKEND": "django_prometheus.cache.backends.filebased.FileBasedCache",
        "LOCATION": str(TECKO_HOME / "cache" / "logins"),
        "OPTIONS": {"MAX_ENTRIES": 8192},
    },
}

THROTTLE_FOLDER = TECKO_HOME / "cache" / "throttles"

# The sweep is one task that stays on duty for up to an hour; everything else in the queue is short
Q_CLUSTER = {
    "name": f"teckochecker-{TECKO_INSTANCE}",
    "cluster_name": f"teckochecker-{TECKO_INSTANCE}",
    "orm": "default",
    "workers": 4,
    "queue_limit": 4,
    "timeout": 8400,  # an hour on duty, then the longest install and check, and some slack
    "retry": 8700,
    "max_attempts": 1,
    "ack_failures": True,
    "catch_up": False,
    "save_limit": 100,
    "guard_cycle": 0.5,
    "poll": 0.5,
    "label": "Queue",
}

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_HANDLER = "teckochecker.access.logins.Guard"
AXES_CACHE = "logins"  # what strangers type as names is kept in no table
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = TECKO_LOGIN_ATTEMPTS
AXES_COOLOFF_TIME = "teckochecker.access.logins.lockout_time"
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_CALLABLE = "teckochecker.access.logins.refuse_page"
AXES_CLIENT_IP_CALLABLE = "teckochecker.access.throttles.network"
AXES_VERBOSE = False
AXES_ENABLE_ADMIN = False
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = TECKO_HOME / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# An upload is at most 10 MB, and its form a little more
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 11 * 1024 * 1024

_https = TECKO_PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = _https
CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_TRUSTED_ORIGINS = [TECKO_PUBLIC_URL]
if _https:
    SECURE_HSTS_SECONDS = 0 if TECKO_HSTS == "off" else 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = TECKO_HSTS in ("subdomains", "preload")
    SECURE_HSTS_PRELOAD = TECKO_HSTS == "preload"
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    # teckochecker.web.https redirects, and what HSTS binds is the operator's to say
    SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W005", "security.W008", "security.W021"]
else:
    # Plain HTTP serves the loopback only; teckochecker.W001 reports any other address instead of these four
    SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008", "security.W012", "security.W016"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "teckochecker.access.authentication.PasswordLogin",
        "teckochecker.access.authentication.TokenLogin",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["teckochecker.access.throttles.PerLogin"],
    "DEFAULT_PERMISSION_CLASSES": ["teckochecker.access.authentication.ModelPermissions"],
    "DEFAULT_PARSER_CLASSES": ["teckochecker.kit.api.json_parser.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer", "teckochecker.api.browsable.Pages"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "teckochecker.api.browsable.Negotiation",
    "DEFAULT_METADATA_CLASS": "teckochecker.api.browsable.Options",
    "DEFAULT_SCHEMA_CLASS": "teckochecker.api.openapi.Schema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "EXCEPTION_HANDLER": "teckochecker.api.errors.handle",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "TeckoChecker",
    "VERSION": VERSION,
    "DESCRIPTION": "Every path works with a final slash too. A method that a path does not have is 405. Whatever goes "
    "wrong is the same JSON: `detail`, a sentence, and for wrong input `errors` by field.",
    "SCHEMA_PATH_PREFIX": "/(?:api/)?",
    "COMPONENT_SPLIT_REQUEST": True,
    "SORT_OPERATION_PARAMETERS": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "PREPROCESSING_HOOKS": ["teckochecker.api.openapi.without_final_slash"],
    "POSTPROCESSING_HOOKS": ["teckochecker.api.openapi.finish"],
}
REST_KNOX = {"TOKEN_TTL": timedelta(days=90), "TOKEN_PREFIX": "tck_"}
KNOX_TOKEN_MODEL = "access.ApiToken"  # noqa: S105  a model
MIGRATION_MODULES = {"knox": None}  # its one table is replaced by ours
FILE_UPLOAD_HANDLERS = ["customchecks.api.uploads.CappedUploadHandler"]

# A fault of the command line is one line; its traceback, with --traceback, is Python's own
DT_RICH_TRACEBACK_CONFIG = False

# By name, as a shell that completes a word reads the settings and writes no log
LOGGING_CONFIG = "teckochecker.ops.logs.configure"
LOGGING = {"level": TECKO_LOG_LEVEL}
