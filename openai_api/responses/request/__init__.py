"""Reads and checks what `POST /v1/responses` accepts."""

from openai_api.responses.request.items import Items, is_reference
from openai_api.responses.request.offered import OfferedTool, Tools
from openai_api.responses.request.responses_request import ResponsesRequest, read

__all__ = ["Items", "OfferedTool", "ResponsesRequest", "Tools", "is_reference", "read"]
