"""The training engine: a process of its own that turns a job folder into a checkpoint. Knows tokens, not RAG."""
