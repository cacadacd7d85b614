"""What Django's admin finds of this app: importing the pages registers them."""

from catalog.operators.alias_admin import AliasAdmin
from catalog.operators.history_admin import CatalogChangeAdmin, RefreshRunAdmin
from catalog.operators.model_admin import CatalogModelAdmin

__all__ = ["AliasAdmin", "CatalogChangeAdmin", "CatalogModelAdmin", "RefreshRunAdmin"]
