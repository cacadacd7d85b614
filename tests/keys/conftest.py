import pytest
from django.db import connection


@pytest.fixture
def run_on_threads():
    """Runs a function on several threads that start together, each with its own connection."""
    import threading
    from concurrent.futures import ThreadPoolExecutor

    def run(function, count):
        barrier = threading.Barrier(count)

        def one(number):
            try:
                barrier.wait(5)
                return function(number)
            finally:
                connection.close()

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(one, range(count)))

    return run
