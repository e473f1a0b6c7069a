"""What is trained: the task, the recipe and local training, the built-in tasks. torch lives here and nowhere below."""
