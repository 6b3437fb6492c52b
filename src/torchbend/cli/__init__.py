"""The command line: look into a model, bend it, and keep what comes out."""
