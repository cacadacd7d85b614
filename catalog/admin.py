"""What Django's admin finds of this app: importing the pages registers them."""

from catalog.operators.model_admin import CatalogModelAdmin

__all__ = ["CatalogModelAdmin"]
