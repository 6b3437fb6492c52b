"""The workshop: models, sounds and figures that its documents use."""
