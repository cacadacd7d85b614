"""The SESSION_ENGINE: Django's database sessions, each of which leaves a mark when it ends.

Every end of a session passes here: signing out on the members' pages or in the admin, signing in as
somebody else in the same browser, changing the password (the session gets a new key), and the first
request of a session that has the old password.
"""

from django.contrib.sessions.backends import db

from keys.access.signed_out import signed_out


class SessionStore(db.SessionStore):
    def _validate_session_key(self, key: str | None) -> bool:
        """What no session has is not looked up: a cookie in quotes can spell a NUL, which
        PostgreSQL refuses."""
        is_one: bool = super()._validate_session_key(key)  # type: ignore[misc]
        return is_one and key is not None and key.isascii() and key.isalnum()

    def delete(self, session_key: str | None = None) -> None:
        ended = session_key or self.session_key
        super().delete(session_key)
        if ended is not None:
            signed_out.add(ended)
