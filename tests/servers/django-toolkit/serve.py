"""Serve the site: PORT, DATA (a folder that outlives restarts), OPENID=1, APPS (redirect URIs), CLIENT_SECRET, PEOPLE (JSON).

Django's own development server. It ends when its standard input does, so that it never outlives the test run.
"""

import json
import os
import sys
import threading

import django
from django.core.management import call_command


def fill() -> None:
    """Make the tables, the people and the client, the first time."""
    from django.contrib.auth.models import User
    from oauth2_provider.models import Application

    call_command("migrate", run_syncdb=True, verbosity=0)
    if User.objects.exists():
        return
    for name, facts in json.loads(os.environ["PEOPLE"]).items():
        User.objects.create_user(name, **facts)
    Application.objects.create(
        name="The app",
        client_id="the-app",
        client_secret=os.environ["CLIENT_SECRET"],
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris=os.environ["APPS"],
        post_logout_redirect_uris=os.environ["APPS"],
        algorithm=Application.RS256_ALGORITHM if os.environ.get("OPENID") == "1" else Application.NO_ALGORITHM,
    )


def end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
    threading.Thread(target=end_with_parent, daemon=True).start()
    django.setup()
    fill()
    call_command("runserver", f"127.0.0.1:{os.environ['PORT']}", use_reloader=False, skip_checks=True)
