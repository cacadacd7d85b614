"""`POST /v1/completions`: OpenAI's older text completions, each choice a chat of its own."""
