"""Works out of a model's schema and entry which endpoints can run it, and how it is asked."""
