"""`POST /v1/moderations`: texts judged by a model that classifies harmful content."""
