import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def _closed_and_not_shown(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: pytest.fail("shown"))
    yield
    plt.close("all")
