"""Ways in which Workers AI departs from its own format or fails, each by name, on demand."""
