"""Chat models: reading a request, the small model that answers, and the dialects of answers."""
