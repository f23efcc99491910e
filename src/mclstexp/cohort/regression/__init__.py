"""Penalised regression of what became of patients: one engine for survival, yes or no, and numbers."""
