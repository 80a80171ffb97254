import faulthandler
import os

import pytest

# A deadlock shows where each thread stands, and ends the run instead of hanging it.
WATCHDOG_SECONDS = 180


@pytest.fixture(autouse=True)
def watchdog():
    faulthandler.dump_traceback_later(WATCHDOG_SECONDS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def rt():
    import flambeau

    return flambeau.Runtime()


def pytest_configure():
    # Tests of threads want to see them, and no more of libtorch's own than there are cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
