"""Statistics of follow-up: plain functions of time, event and risk; higher risk means an earlier event."""
