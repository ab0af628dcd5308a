"""What an inference costs by resolution and by model size, with linear and with softmax attention."""
