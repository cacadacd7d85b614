"""`POST /v1/messages` and its `count_tokens`: Anthropic's Messages API, run as a chat."""
