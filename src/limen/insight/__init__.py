"""What an activation function does to the representations that a model builds."""
