"""Bytes in and out: requests' bodies and fields read, answers and streams delivered.

`body.py` and `multipart.py` take a body, `fields.py` and `nested_fields.py` check what is in it.
`http_response.py` delivers an answer, `streaming.py` and `live.py` one that is still being made, as
the events of an endpoint's `stream_writer.py`. `capture.py` notes both for keys that say so.
"""
