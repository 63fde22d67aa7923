"""The site's pages: Django's login, the toolkit's endpoints, and the one that says who a token belongs to."""

from django.contrib.auth.views import LoginView
from django.http import JsonResponse
from django.urls import include, path
from oauth2_provider.decorators import protected_resource


@protected_resource(scopes=["read"])
def me(request):
    person = request.resource_owner
    return JsonResponse({"id": person.pk, "full_name": person.get_full_name(), "mail": person.email})


urlpatterns = [
    path("login/", LoginView.as_view(template_name="login.html")),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("api/me", me),
]
