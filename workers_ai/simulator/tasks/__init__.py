"""Models that do not chat: embeddings, pictures, sound, and small tasks on texts."""
