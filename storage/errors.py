"""What can be wrong with the database as a whole. No HTTP here: status and words are the API's.

DatabaseUnavailable    known to be away or not migrated, so nobody asked it
"""


class DatabaseUnavailable(Exception):
    """The text says why, in the engine's own words: it is for the log."""
