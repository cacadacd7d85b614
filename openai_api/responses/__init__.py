"""`POST /v1/responses`: OpenAI's Responses API, run as a chat. Nothing is stored."""
