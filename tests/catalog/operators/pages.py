"""What tests of the catalog's pages ask for, and how."""

from django.test import Client
from django.urls import reverse

from catalog.models import CatalogModel

LIST = "admin:catalog_catalogmodel_changelist"


def page(client: Client, view: str, *args: object, **query: str) -> str:
    response = client.get(reverse(view, args=args), query)
    assert response.status_code == 200
    return response.content.decode()


def named(name: str) -> CatalogModel:
    return CatalogModel.objects.get(name=name)


def form_of(model: CatalogModel, **fields: str) -> dict[str, str]:
    return {
        "enabled": "on",
        "notes": "",
        "aliases-TOTAL_FORMS": "0",
        "aliases-INITIAL_FORMS": "0",
        **fields,
    }


def change_url(model: CatalogModel) -> str:
    return reverse("admin:catalog_catalogmodel_change", args=[model.pk])
