"""Configurations: composed, checked, turned into objects."""
