"""A minimal Django site with django-helpdesk in it; its URLs are below."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import django
from django.conf import settings

__all__ = ["BOT", "STAFF", "install", "site_settings"]

BOT = {"username": "hitl-bot", "password": "password-of-the-simulated-bot"}
STAFF = ("grace", "linus")


def site_settings(folder: Path) -> dict[str, Any]:
    """Return the settings of a site that keeps its data in ``folder``."""
    return {
        "SECRET_KEY": "not-a-secret-of-any-real-site",
        "ALLOWED_HOSTS": ["*"],
        "ROOT_URLCONF": "hitl_django_helpdesk.simulator.urls",
        "INSTALLED_APPS": [
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.sites",
            "django.contrib.humanize",
            "rest_framework",
            "helpdesk",
        ],
        "MIDDLEWARE": [
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        "TEMPLATES": [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        "DATABASES": {
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(folder / "helpdesk.sqlite3"),
                # Requests run in threads: writers take their turn from the beginning rather than fail at the end.
                "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA synchronous=OFF"},
            }
        },
        "MEDIA_ROOT": str(folder / "media"),
        "MEDIA_URL": "/media/",
        "SITE_ID": 1,
        "USE_TZ": True,
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],  # each request proves itself anew
        "EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend",
        "LOGGING_CONFIG": None,
        "HELPDESK_TEAMS_MODE_ENABLED": False,  # teams need a package of their own
        "HELPDESK_GET_FOLLOWUP_WEBHOOK_URLS": lambda: ["https://bot.invalid/"],
        "HELPDESK_GET_NEW_TICKET_WEBHOOK_URLS": lambda: ["https://bot.invalid/"],
    }


def install(folder: Path) -> Path:
    """Set Django up, once a process, and make the database; return where it is."""
    chosen = site_settings(folder)
    settings.configure(**chosen)
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
    return Path(chosen["DATABASES"]["default"]["NAME"])
