"""The same model trained with several activation functions, and what that says of each."""
