"""What an activation function does to the representations a model builds: compare and picture."""
