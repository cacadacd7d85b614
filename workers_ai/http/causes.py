"""Why there is no connection, in words that say what to do. For operators: nothing of it is a
secret, and none of it is a client's business.
"""

import errno
import os
import resource
import socket
import ssl

# OpenSSL's numbers of what is wrong with a certificate (X509_V_ERR_…, `man verify`).
_NOT_YET_VALID = 9
_EXPIRED = 10
_OTHER_NAME = (62, 64)


def cause_of(error: Exception, host: str, port: int) -> str:
    """What made this try to connect to `host` fail."""
    if _are_descriptors_used_up(error):
        may_be_open, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return (
            f"no file descriptor is left for {host}:{port} ({may_be_open} may be open): "
            "raise the limit of open files (ulimit -n, LimitNOFILE)"
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_a_certificate(error, host)
    if isinstance(error, ssl.SSLError):
        return f"{host}:{port} and this gateway find no common TLS ({error.reason or error})"
    if isinstance(error, socket.gaierror):
        said = error.strerror or str(error)
        if error.errno == socket.EAI_AGAIN:
            return f"the name servers do not answer for {host} ({said})"
        return f"the name {host} is not known ({said})"
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ECONNREFUSED:
        return f"{host}:{port} refuses the connection: nothing listens there, or a firewall says no"
    if number in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL):
        return f"there is no route to {host}:{port} ({os.strerror(number)})"
    if number in (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED):
        return f"{host}:{port} closed the connection before it was ready"
    return f"{host}:{port}: {error}"


def _of_a_certificate(error: ssl.SSLCertVerificationError, host: str) -> str:
    said = error.verify_message
    if error.verify_code in _OTHER_NAME:
        return f"the certificate is not one for {host} ({said})"
    if error.verify_code == _EXPIRED:
        return f"the certificate of {host} has expired ({said})"
    if error.verify_code == _NOT_YET_VALID:
        return f"the certificate of {host} is not valid yet ({said}): is the clock here right?"
    return (
        f"the certificate of {host} is not trusted ({said}): set SSL_CERT_FILE to a file with the "
        "certificate of the authority that signed it"
    )


def _are_descriptors_used_up(error: Exception) -> bool:
    if isinstance(error, socket.gaierror):
        # The system's resolver has other words for it.
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError as other:
            return other.errno in (errno.EMFILE, errno.ENFILE)
        return False
    return isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)
