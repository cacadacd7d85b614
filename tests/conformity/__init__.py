"""Other people's reading of OpenAPI documents, run against the gateway: `make conformity`."""
