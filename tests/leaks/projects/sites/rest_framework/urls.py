from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.routers import DefaultRouter
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ModelViewSet

from tests.leaks.projects.library.models import Book, fill


class BookSerializer(ModelSerializer):
    class Meta:
        model = Book
        fields = ("id", "title", "author", "published")


class Books(ModelViewSet):
    queryset = Book._default_manager.order_by("title")
    serializer_class = BookSerializer


router = DefaultRouter()
router.register("books", Books)

urlpatterns = [
    path("api/", include(router.urls)),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("schema/pages/", SpectacularSwaggerView.as_view()),
]

prepare = fill
