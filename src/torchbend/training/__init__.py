"""The training of RAVE models: phases, schedules, checkpoints, validation."""
