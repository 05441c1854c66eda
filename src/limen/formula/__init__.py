"""What an activation function is: expressions, derivatives, stable forms, analysis."""
