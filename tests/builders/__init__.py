"""Healthy and damaged stores, made from nothing, always the same bytes."""
