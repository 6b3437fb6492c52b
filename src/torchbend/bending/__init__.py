"""Callbacks, controls, recipes, and the live engine that applies them."""
