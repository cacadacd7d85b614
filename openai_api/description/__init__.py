"""The OpenAPI document of `/v1`, made from the declarations that the readers themselves use."""
