"""Reads the outside through the doors into the values that the core takes."""
