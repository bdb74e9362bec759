"""Renderers: they know findings and reports, never a format."""
