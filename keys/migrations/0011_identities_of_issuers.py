"""Identities of single sign-on say whose `sub` they hold: the issuer, in the place of "sso".

An identity is of the issuer that its ID token named, which is kept with it; else of the issuer that
is configured now. Where neither is known it stays as it was and is nobody's: its person comes back
to the account by a verified address, or when an operator writes the issuer into it.

An address that its provider had not verified is taken off the account. The way back gives "sso" to
the identities of the issuer that is configured, and their addresses to accounts without one.
"""

import json
from typing import Any

from django.conf import settings
from django.db import migrations

LEGACY = "sso"


def name_issuers(apps: Any, schema_editor: Any) -> None:
    connection = schema_editor.connection
    if not _has_tables(connection):
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, uid, extra_data FROM socialaccount_socialaccount WHERE provider = %s",
            [LEGACY],
        )
        unknown = 0
        for pk, uid, kept in cursor.fetchall():
            issuer = _issuer_of(kept) or settings.OIDC_ISSUER
            if issuer:
                _rename(cursor, pk, uid, issuer)
            else:
                unknown += 1
        cursor.execute(
            "UPDATE auth_user SET email = '' WHERE email <> '' AND EXISTS (SELECT 1 FROM "
            "account_emailaddress e WHERE e.user_id = auth_user.id AND NOT e.verified "
            "AND LOWER(e.email) = LOWER(auth_user.email)) AND EXISTS (SELECT 1 FROM "
            "socialaccount_socialaccount s WHERE s.user_id = auth_user.id)"
        )
    if unknown:
        print(
            f"\n  {unknown} identities of single sign-on are of an issuer that nobody knows, since "
            "OIDC_ISSUER is not set: see docs/operating.md, Single sign-on."
        )


def forget_issuers(apps: Any, schema_editor: Any) -> None:
    connection = schema_editor.connection
    if not _has_tables(connection):
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, uid FROM socialaccount_socialaccount WHERE provider = %s",
            [settings.OIDC_ISSUER],
        )
        for pk, uid in cursor.fetchall():
            _rename(cursor, pk, uid, LEGACY)
        cursor.execute(
            "UPDATE auth_user SET email = (SELECT MIN(e.email) FROM account_emailaddress e "
            "WHERE e.user_id = auth_user.id AND NOT e.verified) WHERE email = '' AND EXISTS "
            "(SELECT 1 FROM account_emailaddress e WHERE e.user_id = auth_user.id "
            "AND NOT e.verified)"
        )


def _has_tables(connection: Any) -> bool:
    """They are allauth's, which is installed only where single sign-on is, or was, configured."""
    wanted = {"socialaccount_socialaccount", "account_emailaddress"}
    return wanted <= set(connection.introspection.table_names())


def _issuer_of(kept: Any) -> str:
    try:
        data = json.loads(kept) if isinstance(kept, str) else kept
        issuer = data["id_token"]["iss"]
    except (LookupError, TypeError, ValueError):
        return ""
    return issuer.rstrip("/") if isinstance(issuer, str) and len(issuer) <= 200 else ""


def _rename(cursor: Any, pk: int, uid: str, provider: str) -> None:
    """Not where there is such an identity already, which two releases side by side can make."""
    cursor.execute(
        "UPDATE socialaccount_socialaccount SET provider = %s WHERE id = %s AND NOT EXISTS "
        "(SELECT 1 FROM socialaccount_socialaccount WHERE provider = %s AND uid = %s)",
        [provider, pk, provider, uid],
    )


class Migration(migrations.Migration):
    dependencies = [
        ("keys", "0010_fewer_ledger_indexes"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [migrations.RunPython(name_issuers, forget_issuers)]
