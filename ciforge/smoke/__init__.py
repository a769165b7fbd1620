"""Smoke tests: the exact images with real dependencies, asked real questions."""
