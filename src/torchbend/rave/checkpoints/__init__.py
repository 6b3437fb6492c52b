"""Checkpoints of the RAVE family: the original's runs and exports, and this project's own files."""
