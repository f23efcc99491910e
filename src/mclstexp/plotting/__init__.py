"""Pictures: each function returns Axes, none shows."""
