"""The HTTP server: OpenAI's chat completions, plain endpoints, batching, more machines."""
