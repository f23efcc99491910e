"""What every plot promises: it takes axes or makes them, and returns them."""

import importlib
import inspect
import pkgutil

from mclstexp import plotting


def test_each_plot_takes_axes_or_makes_them_and_returns_them():
    modules = [
        importlib.import_module(f"{plotting.__name__}.{part.name}") for part in pkgutil.iter_modules(plotting.__path__)
    ]
    plots = {
        name: function
        for module in modules
        for name, function in vars(module).items()
        if name.startswith("plot_") and inspect.isfunction(function)
    }
    assert len(plots) > 12
    for name, function in plots.items():
        said = inspect.signature(function)
        taken = [said.parameters[each] for each in ("ax", "axes") if each in said.parameters]
        assert len(taken) == 1, name
        assert taken[0].kind is inspect.Parameter.KEYWORD_ONLY, name
        assert taken[0].default is None, name
        assert said.return_annotation in ("Axes", "NDArray"), name
