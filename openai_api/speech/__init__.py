"""`POST /v1/audio/speech`: a text read aloud."""
