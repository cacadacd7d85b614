"""The format of a picture, told by its first bytes: what a sender calls it may be wrong. Pure."""

_SIGNATURES = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
)


def sniffed(start: bytes) -> str | None:
    """The media type that the first bytes of a file tell."""
    for signature, media_type in _SIGNATURES:
        if start.startswith(signature):
            return media_type
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "image/webp"
    return None
