"""django-axes and django-two-factor-auth: who tries to sign in, and with what."""

from tests.leaks.projects.project import *  # noqa: F403
from tests.leaks.projects.project import INSTALLED_APPS, MIDDLEWARE

ROOT_URLCONF = f"{__name__}.urls"
LOGIN_URL = "two_factor:login"
INSTALLED_APPS = [
    *INSTALLED_APPS,
    "axes",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "two_factor",
    __name__,
]
MIDDLEWARE = [
    *MIDDLEWARE,
    "django_otp.middleware.OTPMiddleware",
    "axes.middleware.AxesMiddleware",
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = 100_000
