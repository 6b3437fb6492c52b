"""What a RAVE model is trained with: distances, divergences, adversarial losses, and one training step."""
