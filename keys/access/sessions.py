"""Django's sessions in the database (SESSION_ENGINE), of which each that ends leaves a mark.

Whatever ends one comes by here: signing out by either door, signing in as somebody else in the same
browser, a changed password, which gives the session that changed it a new key, and the first page
that a session of the old password asks for.
"""

from django.contrib.sessions.backends import db

from keys.access.signed_out import signed_out


class SessionStore(db.SessionStore):
    def delete(self, session_key: str | None = None) -> None:
        ended = session_key or self.session_key
        super().delete(session_key)
        if ended is not None:
            signed_out.add(ended)
